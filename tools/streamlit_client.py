"""A client of a running Streamlit app without a browser: it speaks the app's WebSocket protocol, sends files and keeps
what is on the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable

import httpx
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import FileUploaderState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LARGEST_MESSAGE = 256 * 2**20  # bytes


class Client:
    """One visitor. Use as an asynchronous context manager; leaving it closes the socket, as closing the tab does.

    Attributes:
        elements: what is on the page, by its place; an element is a protobuf message of Streamlit.
        uploader: the id of the first file uploader on the page, "" without one.
        errors: exceptions that the page showed and anything else that went wrong, as text.
        runs: runs of the whole page that have ended. heard: messages of the server.
        received: bytes that came through the socket; largest: the longest message among them. fetched: bytes that were
            asked for by HTTP.
    """

    def __init__(self, address: str, page: str = ""):
        self._http, self._page = address.rstrip("/"), page
        self.elements: dict[tuple[int, ...], Message] = {}
        self._made: dict[tuple[int, ...], tuple[str, str]] = {}  # the run and the fragment that an element is of
        self.errors: list[str] = []
        self.runs = self.heard = self.received = self.largest = self.fetched = 0
        self._session = self._page_hash = self._run = ""
        self._widgets: dict[str, WidgetState] = {}
        self._messages: dict[str, ForwardMsg] = {}  # by hash: what the server refers to instead of sending it twice
        self._timers: dict[str, asyncio.Task] = {}
        self._upload_urls: dict[str, asyncio.Future] = {}
        self._changed = asyncio.Condition()
        self.trail: deque = deque(maxlen=12)

    async def __aenter__(self) -> Client:
        self._web = httpx.AsyncClient(base_url=self._http, timeout=120)
        await self._web.get("/_stcore/health")
        await self._web.get("/_stcore/host-config")
        token = self._web.cookies.get("_streamlit_xsrf") or ""
        cookies = "; ".join(f"{name}={value}" for name, value in self._web.cookies.items())
        self._token = token
        self._socket = await connect(
            self._http.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=["streamlit", token] if token else ["streamlit"],
            origin=self._http,
            additional_headers={"Cookie": cookies} if cookies else {},
            max_size=LARGEST_MESSAGE,
            ping_interval=None,
        )
        self._reader = asyncio.create_task(self._read())
        await self.rerun()
        return self

    async def __aexit__(self, *_) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()
        await self._web.aclose()

    @property
    def uploader(self) -> str:
        for element in self.elements.values():
            if element.WhichOneof("type") == "file_uploader":
                return element.file_uploader.id
        return ""

    async def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Waits until `holds()`, which is asked whenever something changes; whether it did within `seconds`."""
        end = time.monotonic() + seconds
        async with self._changed:
            while not holds():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), left)
        return True

    async def press(self, label: str) -> bool:
        """Presses the button of that label; whether there is one."""
        for place, element in self.elements.items():
            if element.WhichOneof("type") == "button" and element.button.label == label:
                await self.rerun(self._made[place][1], pressed=element.button.id)
                return True
        return False

    async def rerun(self, fragment: str = "", by_itself: bool = False, pressed: str = "") -> None:
        """Asks for a run of the page, or of one fragment of it."""
        state = ClientState(page_script_hash=self._page_hash, fragment_id=fragment, is_auto_rerun=by_itself)
        if not self._page_hash:
            state.page_name = self._page
        state.widget_states.widgets.extend(self._widgets.values())
        if pressed:
            state.widget_states.widgets.add(id=pressed, trigger_value=True)
        await self._send(BackMsg(rerun_script=state))

    async def rerun_and_wait(self, seconds: float = 120) -> float:
        """Seconds from asking for a run of the whole page to its end."""
        before, start = self.runs, time.monotonic()
        self.trail.append((round(start, 2), "asked"))
        await self.rerun()
        if not await self.until(lambda: self.runs > before, seconds):
            self.errors.append(f"a run of the page had not ended after {seconds:.0f} s: {list(self.trail)}")
        return time.monotonic() - start

    async def upload(self, name: str, data: bytes) -> None:
        """Sends one file through the page's uploader, and tells the page."""
        widget, request = self.uploader, uuid.uuid4().hex
        answer = self._upload_urls[request] = asyncio.get_running_loop().create_future()
        asked = BackMsg()
        asked.file_urls_request.request_id = request
        asked.file_urls_request.session_id = self._session
        asked.file_urls_request.file_names.append(name)
        await self._send(asked)
        urls = (await asyncio.wait_for(answer, 60)).file_urls[0]
        headers = {"X-Xsrftoken": self._token, "Origin": self._http}
        reply = await self._web.put(urls.upload_url, files={"file": (name, data)}, headers=headers)
        if reply.status_code >= 300:
            self.errors.append(f"the upload was refused with {reply.status_code}: {reply.text[:200]}")
            return
        value = FileUploaderState()
        info = value.uploaded_file_info.add(name=name, size=len(data), file_id=urls.file_id)
        info.file_urls.CopyFrom(urls)
        self._widgets[widget] = WidgetState(id=widget, file_uploader_state_value=value)
        await self.rerun()

    async def _send(self, message: BackMsg) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                self.received += len(data)
                self.largest = max(self.largest, len(data))
                message = ForwardMsg.FromString(data)
                if message.WhichOneof("type") == "ref_hash":
                    whole = ForwardMsg()
                    whole.CopyFrom(self._messages[message.ref_hash])
                    whole.metadata.CopyFrom(message.metadata)
                    message = whole
                elif message.metadata.cacheable and message.hash:
                    self._messages[message.hash] = message
                self._take(message)
                self.heard += 1
                async with self._changed:
                    self._changed.notify_all()
            self.errors.append("the server ended the connection")
        except ConnectionClosed:
            self.errors.append("the server closed the connection")
        except Exception as error:  # a message that cannot be read is a finding of the measurement, not its end
            self.errors.append(f"{type(error).__name__}: {error}")

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind in ("new_session", "script_finished"):
            self.trail.append(
                (
                    round(time.monotonic(), 2),
                    kind,
                    message.script_finished,
                    message.metadata.run.script_run_id[:6],
                    len(message.metadata.run.fragment_ids),
                )
            )
        if kind == "new_session":
            self._session = message.new_session.initialize.session_id or self._session
            self._page_hash = message.new_session.page_script_hash
            self._run = message.metadata.run.script_run_id
            if not message.metadata.run.fragment_ids:
                self._stop(list(self._timers))
        elif kind == "delta":
            place = tuple(message.metadata.delta_path)
            if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                self.elements[place] = element
                self._made[place] = (self._run, message.delta.fragment_id)
                if element.WhichOneof("type") == "exception":
                    self.errors.append(f"{element.exception.type}: {element.exception.message}")
            else:  # a block takes the place of whatever stood there
                self.elements.pop(place, None)
        elif kind == "auto_rerun":
            fragment, interval = message.auto_rerun.fragment_id, message.auto_rerun.interval
            self._stop([fragment])
            self._timers[fragment] = asyncio.create_task(self._again_and_again(fragment, interval))
        elif kind == "stop_auto_rerun":
            self._stop(message.stop_auto_rerun.fragment_ids)
        elif kind == "file_urls_response":
            self._upload_urls.pop(message.file_urls_response.response_id).set_result(message.file_urls_response)
        elif kind == "script_finished":
            self._finish(message)

    def _finish(self, message: ForwardMsg) -> None:
        """After a run: what it has not drawn again is gone; a run of fragments speaks for these only."""
        run, fragments = message.metadata.run.script_run_id, set(message.metadata.run.fragment_ids)
        if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return
        for place, (made_by, fragment) in list(self._made.items()):
            if made_by != run and (not fragments or fragment in fragments):
                self.elements.pop(place, None)
                del self._made[place]
        self.runs += not fragments

    def _stop(self, fragments) -> None:
        for fragment in fragments:
            if timer := self._timers.pop(fragment, None):
                timer.cancel()

    async def _again_and_again(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.rerun(fragment, by_itself=True)

    def texts(self) -> list[str]:
        """Plain text on the page."""
        return [
            re.sub(r"<[^>]+>", " ", element.text.body)
            for element in self.elements.values()
            if element.WhichOneof("type") == "text"
        ]

    def components(self) -> list[dict]:
        """What components of the page hold as JSON."""
        components = [
            element.bidi_component
            for element in self.elements.values()
            if element.WhichOneof("type") == "bidi_component"
        ]
        return [json.loads(component.json) for component in components if component.WhichOneof("data") == "json"]

    async def fetch(self, path: str) -> bytes | None:
        """What the app answers at `path`; None for nothing there."""
        answer = await self._web.get(path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        self.fetched += len(answer.content)
        return answer.content
