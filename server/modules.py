"""JavaScript modules of components, by HTTP, each file as it is: `/modules/DIGEST/NAME`.

A component registers the address of its modules before a browser can ask for them. The digest is of all files of the
folder, so that a browser may keep them for good and never mixes two versions. They hold no reader's data and need no
login.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PATH = "/modules/"
_PUBLISHED: dict[str, dict[str, bytes]] = {}  # digest to name to content


def publish(folder: Path) -> str:
    """Makes the `*.js` files of `folder` known to the route.

    Returns:
        Where they lie, relative to the root of the app: 'modules/DIGEST/'.

    Raises:
        ValueError: when there is none.
    """
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.js"))}
    if not files:
        raise ValueError(f"{folder} holds no JavaScript module")
    digest = hashlib.blake2b(digest_size=12)
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    _PUBLISHED[digest.hexdigest()] = files
    return f"{PATH[1:]}{digest.hexdigest()}/"


async def _answer(request: Request) -> Response:
    content = _PUBLISHED.get(request.path_params["digest"], {}).get(request.path_params["name"])
    if content is None:
        return PlainTextResponse(
            "There is no such module; reload the page.", 404, headers={"Cache-Control": "no-store"}
        )
    lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type="text/javascript; charset=utf-8", headers=lasting)


def routes() -> list[Route]:
    """The address under which the modules are served."""
    return [Route(PATH + "{digest}/{name}", _answer, methods=["GET"])]
