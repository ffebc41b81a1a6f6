"""Who asks: one unguessable key for each browser, in a cookie that no script can read and no other site can have sent.

Two pages of one browser have the same key. It is signed, so that a server believes only keys that it gave out itself.
Where OTHERWISE_DATA names a folder, what signs them is kept there, so that a browser finds its scans again after the
server was started anew; elsewhere a key is worth nothing then, as everything that it opens is in memory only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answers import header

FOLDER, FILE, LONG = "OTHERWISE_DATA", "browser-keys.secret", 32  # bytes of the secret


def kept_secret(environment: Mapping[str, str] = os.environ) -> bytes:
    """What signs the keys: kept in the folder of OTHERWISE_DATA, made when it is not there; else of this process."""
    new, named = secrets.token_bytes(LONG), environment.get(FOLDER, "").strip()
    if not named:
        return new
    file = Path(named) / FILE
    aside = file.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
            opened.write(new)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(aside, file)  # fails where another process was faster
        except FileExistsError:
            pass
        finally:
            aside.unlink()
        kept = file.read_bytes()
    except OSError:
        return new  # a folder that takes nothing is reported where reviews are opened
    return kept if len(kept) == LONG else new


_SECRET = kept_secret()
FIRST_ASKED = "/_stcore/host-config"  # every page asks for it once, before it opens its socket


def cookie_name(port: int | str) -> str:
    """Cookies do not keep ports apart; two servers on one machine must not overwrite each other's."""
    return f"otherwise_reader_{port}"


def new_value() -> str:
    """A signed value for the cookie of a browser that has none."""
    key = secrets.token_urlsafe(24)
    return f"{key}.{_signature(key)}"


def checked(value: str | None) -> str | None:
    """The key in a cookie's value, if this server gave it out."""
    key, _, signature = (value or "").partition(".")
    return key if key and hmac.compare_digest(signature.encode(), _signature(key).encode()) else None


def _signature(key: str) -> str:
    return hmac.new(_SECRET, key.encode(), hashlib.sha256).hexdigest()


def current() -> str | None:
    """The key of the browser that runs this script; None for one that takes no cookies."""
    value = st.context.cookies.get(cookie_name(st.get_option("server.port")))
    return checked(value) if isinstance(value, str) else None  # a script under test has a stand-in for a browser


def of_request(scope: Scope) -> str | None:
    """The key of the browser that sent this request."""
    try:
        cookies = SimpleCookie(header(scope, b"cookie") or "")
    except CookieError:
        return None
    server = scope.get("server")
    found = cookies.get(cookie_name(server[1])) if server else None
    return checked(found.value) if found else None


class ReaderCookie:
    """ASGI middleware: gives a key to a browser that opens a page without one.

    A browser that follows a link from another site does not send the key that it has (SameSite=Strict). It gets no new
    one with that page, but with what the page asks for first, if it has none then either.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or of_request(scope) is not None:
            return await self.app(scope, receive, send)
        opens_page = header(scope, b"sec-fetch-dest") in (None, "document") and header(
            scope, b"sec-fetch-site"
        ) not in ("cross-site", "same-site")
        asked_first = scope["path"].endswith(FIRST_ASKED)

        async def give(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                a_page = message["status"] == 304 or headers.get("content-type", "").startswith("text/html")
                if asked_first or (opens_page and a_page):
                    secure = "; Secure" if scope["scheme"] == "https" else ""
                    headers.append(
                        "set-cookie",
                        f"{cookie_name(scope['server'][1])}={new_value()}; Path=/; HttpOnly; SameSite=Strict{secure}",
                    )
            await send(message)

        await self.app(scope, receive, give)
