"""Addresses of pages: that of a page gives Streamlit's own document, an unknown one a page that says so.

Streamlit's document does not know where the app begins: opened at `/bias` it asks first under `/bias/_stcore/`, which
answers 404. A script in it says where, before anything is asked. And any unknown address would give the first page.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.answers import header

SCRIPT = "window.__streamlit = { BACKEND_BASE_URL: new URL('./', location.href).href };"
NO_PAGES = re.compile(
    r"_\w+|static|media|component|vendor|app|auth|oauth2callback|[^/]*\.[^/]*"
)  # first parts of paths
UNKNOWN = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>No such page - Otherwise</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="{home}favicon.png">
<style>body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; gap: 6px; text-align: center;
background: #0a0d12; color: #d3dae3; font: 15px/1.6 "Source Sans", "Source Sans 3", sans-serif; }}
h1 {{ margin: 0; font-size: 19px; color: #eef2f6; }} p {{ margin: 0; }} a {{ color: #86b5f5; }}
.notice {{ font-size: 12.5px; color: #98a3b0; }}</style></head>
<body><h1>There is no page at this address</h1>
<p><a href="{home}">Go to Otherwise</a></p><p class="notice">Research use only, not for diagnosis</p></body></html>
"""


@cache
def document() -> str:
    """Streamlit's own document with the script before its first."""
    text = files("streamlit").joinpath("static", "index.html").read_text(encoding="utf-8")
    return text.replace("<script", f"<script>{SCRIPT}</script>\n    <script", 1)


async def _page(request: Request) -> Response:
    return HTMLResponse(document(), headers={"Cache-Control": "no-cache"})


def routes(pages: Collection[str]) -> list[Route]:
    """For the pages with an address of their own; the first page has none.

    Args:
        pages: their addresses below the root, without slashes.
    """
    return [Route(f"/{name}", _page, methods=["GET"]) for name in pages]


class KnownPagesOnly:
    """ASGI middleware: a browser that opens an address of no page is told so, with a way to the first page.

    The status is 200, as Streamlit's is for such an address: with 404 every browser writes an error to its console.

    Args:
        pages: as in `routes`.
        others: first parts of other addresses that are answered.
    """

    def __init__(self, app: ASGIApp, pages: Collection[str], others: Collection[str]):
        self.app, self.pages, self.others = app, frozenset(pages), frozenset(others)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _opens_document(scope) and not self.knows(scope["path"]):
            home = "../" * scope["path"].lstrip("/").count("/") or "./"
            answer = HTMLResponse(UNKNOWN.format(home=home), headers={"Cache-Control": "no-store"})
            return await answer(scope, receive, send)
        await self.app(scope, receive, send)

    def knows(self, path: str) -> bool:
        """Whether something is answered at this path, as far as its first part tells."""
        first, _, rest = path.strip("/").partition("/")
        return (
            not first or (first in self.pages and not rest) or first in self.others or bool(NO_PAGES.fullmatch(first))
        )


def _opens_document(scope: Scope) -> bool:
    """Whether a browser asks for a page, rather than a page for something of its own."""
    destination = header(scope, b"sec-fetch-dest")
    if destination is None:
        return "text/html" in (header(scope, b"accept") or "")
    return destination == "document"
