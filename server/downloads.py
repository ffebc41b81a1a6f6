"""Files that a reader asked for, by HTTP: each under an address that cannot be guessed, ends, and opens for that reader
only.

What Streamlit's own download button serves answers anyone who has its address, for as long as the session lasts.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server import readers, sessions
from server.pixels import HEADERS, PixelStore

PATH = "/downloads/"
LIFETIME = 1800.0  # seconds
STORE = PixelStore(LIFETIME)
sessions.when_one_leaves(STORE.forget_session)
sessions.at_every_look(STORE.forget_ended)


def lend(data: bytes, name: str) -> str:
    """The address under which this session's reader finds the file, relative to the root of the app.

    Args:
        name: of the file, from letters, digits, dots, - and _.

    Raises:
        ValueError: another name.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) is None:
        raise ValueError(f"a download's name is made of letters, digits, dots, - and _, got {name[:100]!r}")
    (token,) = STORE.lend([data], readers.current(), sessions.current())
    return f"{PATH[1:]}{token}/{name}"


def take_back(address: str) -> None:
    """Lets an address end in a moment."""
    STORE.take_back([address.split("/")[1]])


async def _answer(request: Request) -> Response:
    data = STORE.get(request.path_params["token"], readers.of_request(request.scope))
    name = request.path_params["name"]
    if data is None or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) is None:
        return PlainTextResponse("This file is not here any more; export it again.", 404, headers=HEADERS)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


def routes() -> list[Route]:
    """The address under which files are served."""
    return [Route(PATH + "{token}/{name}", _answer, methods=["GET"])]
