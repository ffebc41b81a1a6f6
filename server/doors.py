"""What `app.py` hands to Streamlit's server: routes, middleware, and what runs for as long as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from server import addresses, downloads, logs, modules, pixels, sessions, uploads
from server.headers import SecurityHeaders
from server.hosts import OwnHostOnly
from server.readers import ReaderCookie
from server.settings import MEGABYTE, BadSetting, Settings


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except BadSetting as reason:
        raise SystemExit(str(reason)) from None


SETTINGS = _settings()
UPLOADS = uploads.UploadLedger(SETTINGS.upload_megabytes * MEGABYTE, 2 * SETTINGS.upload_megabytes * MEGABYTE)
MultiPartParser.spool_max_size = 1 << 40  # an upload stays in memory, within its limit: never on disk


def routes(pages: Collection[str] = ()) -> list[BaseRoute]:
    """Addresses that are answered beside those of Streamlit; `pages` as in `addresses.routes`."""
    return [*pixels.routes(), *downloads.routes(), *modules.routes(), *addresses.routes(pages)]


def middleware(known: Sequence[Route], pages: Collection[str] = ()) -> list[Middleware]:
    """The outermost first.

    Args:
        known: all routes beside those of Streamlit.
        pages: as in `addresses.routes`.
    """
    first_parts = {route.path.strip("/").partition("/")[0] for route in known}
    return [
        Middleware(OwnHostOnly, allowed=SETTINGS.allowed_hosts),
        Middleware(SecurityHeaders),
        Middleware(addresses.KnownPagesOnly, pages=pages, others=first_parts - {*pages}),
        Middleware(ReaderCookie),
        Middleware(uploads.UploadLimits, ledger=UPLOADS),
    ]


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """What runs beside the server for as long as it does."""
    uploads.watch(UPLOADS)
    logs.name_no_session()
    watching = asyncio.create_task(sessions.watch())
    try:
        yield
    finally:
        watching.cancel()
