"""What a page of this app may load, and from where: from this host, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache, lru_cache

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.addresses import document
from server.answers import header

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@cache
def inline_scripts() -> tuple[str, ...]:
    """The scripts that stand in the pages' document, as a policy names them: by their sha256."""
    found = re.findall(r"<script>(.*?)</script>", document(), flags=re.DOTALL)
    return tuple(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in found)


@lru_cache(maxsize=64)
def policy(host: str) -> str:
    """The content security policy of a page under `host`.

    Beside this host: `blob:` for the scripts of components, which Streamlit hands to the browser as such; inline
    styles, which its page is made with; `data:` and `blob:` for pictures and letters that are drawn here; the socket of
    the session, by its full name.
    """
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", "blob:", *inline_scripts())),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class SecurityHeaders:
    """ASGI middleware: puts the policy on every answer.

    It stands behind `OwnHostOnly`, so that the host is one of ours.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def put(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy(header(scope, b"host") or "")
                for name, value in ALWAYS.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, put)
