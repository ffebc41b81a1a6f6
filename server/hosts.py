"""Refuses every request that was not meant for this app: other host names, other origins, other sites' pages.

A web page that the reader opens elsewhere can send requests here, and a name under its owner's control can be made to
point here (DNS rebinding). Streamlit asks for the host on its socket only, and looks up its own address on the internet
when the origin of a socket is not its host: so both are asked here first, on every route, and nothing but the request
itself is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from server.answers import header, refuse

OWN_NAMES = ("127.0.0.1", "localhost")
NAME_AND_PORT = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(\d{1,5}))?", re.IGNORECASE)
OFF = "/_stcore/metrics"  # counts sessions and what they hold, for anyone who asks


class OwnHostOnly:
    """ASGI middleware: answers 403 unless the host is allowed and the origin, where there is one, is the host itself.

    Args:
        allowed: further names, 'name' for any port or 'name:port'; 127.0.0.1 and localhost on the server's own port
            always are.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()):
        self.app, self.allowed = app, frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            if sentence := self.refusal(scope):
                return await refuse(scope, receive, send, 403, sentence)
            if scope["path"].rstrip("/").endswith(OFF):
                return await refuse(scope, receive, send, 404, "There is nothing here.")
        await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> str:
        """Why this request is not answered, "" for one that is."""
        host, origin = header(scope, b"host"), header(scope, b"origin")
        if not self.knows(host, scope):
            return "This app is not served under that host name."
        # The comparison is Streamlit's own, letter by letter: where both agree it asks nothing further.
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "Requests from other origins are not answered."
        if (
            header(scope, b"sec-fetch-site") in ("cross-site", "same-site")
            and header(scope, b"sec-fetch-mode") != "navigate"
        ):
            return "Requests from other sites are not answered."
        return ""

    def knows(self, host: str | None, scope: Scope) -> bool:
        parts = NAME_AND_PORT.fullmatch(host or "")
        if parts is None:
            return False
        name, port = parts[1].lower(), parts[2] or ("443" if scope["scheme"] in ("https", "wss") else "80")
        if name in self.allowed or f"{name}:{port}" in self.allowed:
            return True
        server = scope.get("server")
        return name in OWN_NAMES and server is not None and port == str(server[1])
