"""Pixels for the browser, by HTTP: each array under an address that cannot be guessed, ends, and opens for one reader
only.

What goes through a session's socket holds up everything else that the session has to say, and is kept by Streamlit
besides; so no array does. An address is `/pixels/TOKEN`. It lives for ten minutes after the last run of the page that
shows it, or until that page shows something else or is closed. A volume is never one message: its slices lie under one
token, `/pixels/TOKEN/FIRST/COUNT`, a few at a time, and are written when they are asked for.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server import readers, sessions

PATH = "/pixels/"
LIFETIME = 600.0  # seconds
MOST_BYTES = 4 << 20  # of several parts in one message; one alone may be larger
MOMENT = 10.0
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Encoding": "identity",  # Streamlit would gzip each: more seconds of processor than the network takes
}


class Parts(Protocol):
    """Something that is fetched part by part."""

    def __len__(self) -> int: ...

    def part(self, index: int) -> bytes:
        """Part `index` of 0 to len - 1."""
        ...


@dataclass(frozen=True)
class _Lent:
    data: bytes | Parts
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

    def lend(self, chunks: Sequence[bytes | Parts], reader: str | None, session: str) -> list[str]:
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

    def get(self, token: str, reader: str | None, parts: tuple[int, int] | None = None) -> bytes | None:
        """The bytes, or None for a token that is unknown, has ended, or is another reader's: nobody learns which.

        Args:
            parts: (first, how many), of what is lent in parts; such a thing has no bytes as a whole, and no more than
                MOST_BYTES of several parts.
        """
        with self._lock:
            lent = self._lent.get(token)
        if lent is None or lent.reader != reader or lent.until <= self._clock():
            return None
        if isinstance(lent.data, bytes):
            return lent.data if parts is None else None
        first, count = parts or (0, 0)
        if not 0 < count <= len(lent.data) - first:
            return None
        chunk = lent.data.part(first)
        if count > 1 and count * len(chunk) > MOST_BYTES:
            return None
        return b"".join([chunk, *(lent.data.part(k) for k in range(first + 1, first + count))])

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


def lend(chunks: Sequence[bytes | Parts]) -> list[str]:
    """Tokens for this session's page."""
    return STORE.lend(chunks, readers.current(), sessions.current())


async def _answer(request: Request) -> Response:
    reader, asked = readers.of_request(request.scope), request.path_params
    data = STORE.get(asked["token"], reader, (asked["first"], asked["count"]) if "first" in asked else None)
    if data is None:
        return PlainTextResponse(
            "These pixels are not here any more; the page asks for them anew.", 404, headers=HEADERS
        )
    return Response(data, media_type="application/octet-stream", headers=HEADERS)


def routes() -> list[Route]:
    """The addresses under which pixels are served."""
    return [
        Route(PATH + address, _answer, methods=["GET"]) for address in ("{token}", "{token}/{first:int}/{count:int}")
    ]
