"""Pixels for the browser, by HTTP: each array under an address that cannot be guessed, ends, and opens for one reader
only.

What goes through a session's socket holds up everything else that the session has to say, and is kept by Streamlit
besides; so no array does. An address is `/pixels/TOKEN`. It lives for ten minutes after the last run of the page that
shows it, or until that page shows something else or is closed. Of a volume, every slice may have an address of its own.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server import readers, sessions

PATH = "/pixels/"
LIFETIME = 600.0  # seconds
MOMENT = 10.0
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class _Lent:
    data: bytes
    reader: str | None
    session: str
    until: float


class PixelStore:
    """Bytes under tokens. All methods may be called from any thread.

    Args:
        lifetime: of a token, in seconds.
        moment: that a token lives on after it was taken back.
        clock: seconds that only rise.
    """

    def __init__(self, lifetime: float = LIFETIME, clock: Callable[[], float] = time.monotonic, moment: float = MOMENT):
        self.lifetime, self.moment, self._clock = lifetime, moment, clock
        self._lent: dict[str, _Lent] = {}
        self._lock = threading.Lock()

    def lend(self, chunks: Sequence[bytes], reader: str | None, session: str) -> list[str]:
        """A new token for each of `chunks`, for this reader's requests only."""
        tokens, until = [secrets.token_urlsafe(24) for _ in chunks], self._clock() + self.lifetime
        with self._lock:
            self._lent |= {
                token: _Lent(chunk, reader, session, until) for token, chunk in zip(tokens, chunks, strict=True)
            }
        return tokens

    def take_back(self, tokens: Sequence[str]) -> None:
        """Lets tokens end in a moment: what a browser has been told of it may be fetching."""
        end = self._clock() + self.moment
        with self._lock:
            for token in tokens:
                if (lent := self._lent.get(token)) is not None and lent.until > end:
                    self._lent[token] = replace(lent, until=end)

    def renewed(self, tokens: Sequence[str]) -> list[str] | None:
        """These tokens while they are young, new ones for the same bytes when half their life is over, None when one
        has ended.
        """
        now = self._clock()
        with self._lock:
            lent = [self._lent.get(token) for token in tokens]
        if any(loan is None or loan.until <= now for loan in lent):
            return None
        if all(loan.until - now > self.lifetime / 2 for loan in lent):
            return list(tokens)
        new = self.lend([loan.data for loan in lent], lent[0].reader, lent[0].session)
        self.take_back(tokens)
        return new

    def get(self, token: str, reader: str | None) -> bytes | None:
        """The bytes, or None for a token that is unknown, has ended, or is another reader's: nobody learns which."""
        with self._lock:
            lent = self._lent.get(token)
        return lent.data if lent and lent.reader == reader and lent.until > self._clock() else None

    def forget_session(self, session: str) -> None:
        with self._lock:
            self._lent = {token: lent for token, lent in self._lent.items() if lent.session != session}

    def forget_ended(self) -> None:
        now = self._clock()
        with self._lock:
            self._lent = {token: lent for token, lent in self._lent.items() if lent.until > now}


STORE = PixelStore()
sessions.when_one_leaves(STORE.forget_session)
sessions.at_every_look(STORE.forget_ended)


def lend(chunks: Sequence[bytes]) -> list[str]:
    """Tokens for this session's page."""
    return STORE.lend(chunks, readers.current(), sessions.current())


async def _answer(request: Request) -> Response:
    data = STORE.get(request.path_params["token"], readers.of_request(request.scope))
    if data is None:
        return PlainTextResponse(
            "These pixels are not here any more; the page asks for them anew.", 404, headers=HEADERS
        )
    return Response(data, media_type="application/octet-stream", headers=HEADERS)


def routes() -> list[Route]:
    """The address under which pixels are served."""
    return [Route(PATH + "{token}", _answer, methods=["GET"])]
