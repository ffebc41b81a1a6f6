"""A browser's key: given once, believed only from this server, and out of reach of scripts and other sites."""

import stat

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from server import readers


@pytest.fixture
def ask():
    """ask(path, headers) of a server with a page, a file and what every page asks for first."""
    routes = [
        Route("/", lambda request: HTMLResponse("<p>")),
        Route("/file.js", lambda request: PlainTextResponse("x")),
        Route("/_stcore/host-config", lambda request: PlainTextResponse("{}")),
    ]
    client = TestClient(
        Starlette(routes=routes, middleware=[Middleware(readers.ReaderCookie)]), base_url="http://127.0.0.1:8501"
    )

    def get(path, **headers):
        client.cookies.clear()
        return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}).headers.get(
            "set-cookie"
        )

    return get


def test_a_page_gives_a_key_that_no_script_reads_and_no_other_site_sends(ask):
    given = ask("/")
    assert (
        given.startswith("otherwise_reader_8501=")
        and "HttpOnly" in given
        and "SameSite=Strict" in given
        and "Max-Age" not in given
    )
    assert readers.checked(given.split("=", 1)[1].split(";")[0])
    assert ask("/") != given


def test_a_browser_that_has_a_key_keeps_it(ask):
    assert ask("/", Cookie=f"otherwise_reader_8501={readers.new_value()}") is None


@pytest.mark.parametrize("value", ["", "x", "x.y", ".", "key." + "0" * 64, "k\u00e9y.\u00e9"])
def test_a_key_that_this_server_never_gave_is_not_believed(ask, value):
    assert readers.checked(value) is None
    assert ask("/", Cookie=f"otherwise_reader_8501={value}".encode()) is not None


def test_a_file_gives_no_key(ask):
    assert ask("/file.js") is None


def test_a_link_from_another_site_does_not_take_a_browsers_key_away(ask):
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate"}
    assert ask("/", **link) is None
    assert ask("/_stcore/host-config", Sec_Fetch_Site="same-origin", Sec_Fetch_Dest="empty") is not None


def test_what_signs_the_keys_outlives_the_server_only_in_the_folder_for_data(tmp_path):
    folder = {"OTHERWISE_DATA": str(tmp_path / "data")}
    kept = readers.kept_secret(folder)
    assert len(kept) == 32 and readers.kept_secret(folder) == kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()} == {0o600}
    assert len(list((tmp_path / "data").iterdir())) == 1
    assert readers.kept_secret({}) != readers.kept_secret({})


def test_a_folder_that_takes_nothing_leaves_keys_of_this_process(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(readers.kept_secret({"OTHERWISE_DATA": str(tmp_path / "file" / "x")})) == 32
    (tmp_path / "browser-keys.secret").write_bytes(b"cut off")
    assert len(readers.kept_secret({"OTHERWISE_DATA": str(tmp_path)})) == 32
