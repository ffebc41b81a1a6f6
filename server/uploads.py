"""How much may be on its way into the app: by session and for the whole host, in bytes and in number.

Streamlit takes whatever is sent into a session, up to a size for each file, and keeps it until the session ends. Here
an upload is counted before its first byte is taken, until its scan has been read or refused, and let go of when nobody
has come for it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from server import sessions
from server.answers import header, refuse
from server.settings import MEGABYTE

ROUTE = re.compile(r".*/_stcore/upload_file/([^/]+)/([^/]+)/?")
FILES, HOST_FILES = 1200, 6000  # on their way at a time: a folder of forty, or a series of 1000 slices
UNREQUESTED = 64 * MEGABYTE  # into one session, under names that no page of it was given
FRAME = 100_000  # bytes of a request beside the file's own, at most
IDLE = 600.0  # seconds after a session's last upload, when what nobody has come for is let go of

TOO_MANY = "Too many files are on their way; wait until some have been read."
TOO_LARGE = "Too many bytes are on their way; wait until some files have been read, or send fewer at once."
NO_LENGTH = "The length of the file must be said."


@dataclass
class _Held:
    size: int
    requested: bool
    read: threading.Event | None = None  # set once nothing needs the bytes any more


class UploadLedger:
    """What is on its way. All methods may be called from any thread.

    Args:
        session_bytes, host_bytes: at most, at a time.
        clock: seconds that only rise.
    """

    def __init__(self, session_bytes: float, host_bytes: float, clock: Callable[[], float] = time.monotonic):
        self.session_bytes, self.host_bytes, self._clock = session_bytes, host_bytes, clock
        self._held: dict[tuple[str, str], _Held] = {}
        self._requested: dict[str, set[str]] = {}
        self._last: dict[str, float] = {}
        self._turned_away: dict[str, list[str]] = {}
        self._to_tell: set[str] = set()
        self._lock = threading.Lock()

    def ask(self, session: str, file: str) -> None:
        """A page of `session` was told to send a file under this name; more names than files may be on their way are
        not remembered.
        """
        with self._lock:
            names = self._requested.setdefault(session, set())
            if len(names) < 2 * FILES:
                names.add(file)

    def begin(self, session: str, file: str, size: int) -> str:
        """Counts an upload of `size` bytes; why it may not begin, "" if it may."""
        sentence = self._begin(session, file, size)
        if sentence:
            with self._lock:
                sentences = self._turned_away.setdefault(session, [])
                if len(sentences) < 2 * FILES:
                    sentences.append(sentence)
                self._to_tell.add(session)
        return sentence

    def turned_away(self, session: str) -> list[str]:
        """A sentence for each upload of this session that could not begin since this was last asked."""
        with self._lock:
            self._to_tell.discard(session)
            return self._turned_away.pop(session, [])

    def to_tell(self) -> set[str]:
        """Sessions that have not asked yet why uploads could not begin; each is named once."""
        with self._lock:
            sessions, self._to_tell = self._to_tell, set()
            return sessions

    def _begin(self, session: str, file: str, size: int) -> str:
        with self._lock:
            self._forget_read()
            self._last[session] = self._clock()
            own = [held for (owner, _), held in self._held.items() if owner == session]
            requested = file in self._requested.get(session, ())
            if len(own) >= FILES or len(self._held) >= HOST_FILES or (session, file) in self._held:
                return TOO_MANY
            unrequested = sum(held.size for held in own if not held.requested)
            if not requested and unrequested + size > UNREQUESTED + FRAME:
                return TOO_LARGE
            if sum(held.size for held in own) + size > self.session_bytes + FRAME:
                return TOO_LARGE
            if sum(held.size for held in self._held.values()) + size > self.host_bytes + FRAME:
                return TOO_LARGE
            self._held[session, file] = _Held(size, requested)
            return ""

    def end(self, session: str, file: str) -> None:
        """The bytes are gone: the upload failed, or was deleted."""
        with self._lock:
            self._held.pop((session, file), None)

    def hand_over(self, session: str, file: str, read: threading.Event) -> None:
        """The page has taken the file; it counts until `read` is set."""
        with self._lock:
            if (held := self._held.get((session, file))) is not None:
                held.read = read
            self._requested.get(session, set()).discard(file)

    def abandoned(self, active: Callable[[str], bool]) -> list[str]:
        """Sessions that have left, or have sent nothing for a while, with files that nobody has come for;
        they count no more.
        """
        now = self._clock()
        with self._lock:
            self._forget_read()
            gone = [session for session, last in self._last.items() if not active(session) or now - last > IDLE]
            waiting = {session for (session, _), held in self._held.items() if held.read is None}
            self._held = {key: held for key, held in self._held.items() if key[0] not in gone or held.read is not None}
            for session in gone:
                del self._last[session]
                if not active(session):
                    self._requested.pop(session, None)
                    self._turned_away.pop(session, None)
            for session in [session for session in self._requested if not active(session)]:
                del self._requested[session]
            return [session for session in gone if session in waiting]

    def _forget_read(self) -> None:
        self._held = {key: held for key, held in self._held.items() if held.read is None or not held.read.is_set()}


class UploadLimits:
    """ASGI middleware: answers 413 to an upload that the ledger does not let begin."""

    def __init__(self, app: ASGIApp, ledger: UploadLedger):
        self.app, self.ledger = app, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = ROUTE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if place is None or scope["method"] not in ("PUT", "DELETE"):
            return await self.app(scope, receive, send)
        session, file = place.groups()
        if scope["method"] == "DELETE":
            await self.app(scope, receive, send)
            return self.ledger.end(session, file)
        length = header(scope, b"content-length")
        if length is None or not length.isascii() or not length.isdigit():
            return await refuse(scope, receive, send, 411, NO_LENGTH)
        if sentence := self.ledger.begin(session, file, int(length)):
            return await refuse(scope, receive, send, 413, sentence)
        taken = False

        async def watched(message: Message) -> None:
            nonlocal taken
            taken = taken or (message["type"] == "http.response.start" and message["status"] < 300)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            if not taken:
                self.ledger.end(session, file)


def watch(ledger: UploadLedger) -> None:
    """To be called once the server runs: hears which files pages are told to send, and lets go of those that nobody has
    come for.
    """
    manager = runtime.get_instance().uploaded_file_mgr
    original = manager.get_upload_urls

    def get_upload_urls(session_id, file_names):
        urls = original(session_id, file_names)
        for url in urls:
            ledger.ask(session_id, url.file_id)
        return urls

    manager.get_upload_urls = get_upload_urls

    @sessions.at_every_look
    def look() -> None:
        for session in ledger.abandoned(runtime.get_instance().is_active_session):
            manager.remove_session_files(session)
        for session in ledger.to_tell():
            # Streamlit's own page says nothing of an upload that was refused; the page runs again to say why.
            if (page := runtime.get_instance().get_app_session(session)) is not None:
                page.request_rerun(None)
