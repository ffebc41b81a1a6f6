"""One sentence as an HTTP answer, and a look into the headers of a request."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


def header(scope: Scope, name: bytes) -> str | None:
    """The only header of this (lower-case) name; None without one, "" where there are several."""
    values = [value for key, value in scope["headers"] if key == name]
    return None if not values else values[0].decode("latin-1") if len(values) == 1 else ""


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answers with a status and a sentence; a socket is closed before it opens, which the browser sees as 403."""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse(sentence, status, headers={"Cache-Control": "no-store"})(scope, receive, send)
