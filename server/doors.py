"""What `app.py` hands to Streamlit's server: routes, middleware, and what runs for as long as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from server import sessions
from server.hosts import OwnHostOnly
from server.settings import BadSetting, Settings


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except BadSetting as reason:
        raise SystemExit(str(reason)) from None


SETTINGS = _settings()


def routes() -> list[BaseRoute]:
    return []


def middleware() -> list[Middleware]:
    """The outermost first."""
    return [Middleware(OwnHostOnly, allowed=SETTINGS.allowed_hosts)]


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    watching = asyncio.create_task(sessions.watch())
    try:
        yield
    finally:
        watching.cancel()
