"""What may be on its way into the app: counted before it is taken, and let go of."""

import threading

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from server.uploads import FILES, IDLE, TOO_LARGE, TOO_MANY, UNREQUESTED, UploadLedger, UploadLimits

MB = 1_000_000


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ledger(session=1000 * MB, host=2000 * MB):
    clock = Clock()
    return UploadLedger(session, host, clock), clock


def sent(of, session, count, size, start=0):
    """Why each of so many files that were asked for could not begin."""
    for k in range(start, start + count):
        of.ask(session, f"file {k}")
    return [of.begin(session, f"file {k}", size) for k in range(start, start + count)]


def test_forty_large_films_and_a_series_of_a_thousand_slices_are_taken():
    assert set(sent(ledger()[0], "s", 40, 20 * MB)) == {""}
    assert set(sent(ledger()[0], "s", 1000, MB // 2)) == {""}


def test_a_session_sends_no_more_than_its_share_at_a_time():
    of, _ = ledger(session=100 * MB)
    assert sent(of, "s", 5, 25 * MB) == ["", "", "", "", TOO_LARGE]
    of.end("s", "file 0")
    assert sent(of, "s", 1, 25 * MB, start=9) == [""]


def test_all_sessions_together_send_no_more_than_the_host_takes():
    of, _ = ledger(session=100 * MB, host=150 * MB)
    assert sent(of, "one", 1, 100 * MB) == [""]
    assert sent(of, "two", 2, 50 * MB) == ["", TOO_LARGE]


def test_no_more_files_than_a_number_are_on_their_way():
    of, _ = ledger()
    assert sent(of, "s", FILES + 1, 10)[-2:] == ["", TOO_MANY]


def test_hundreds_of_megabytes_that_no_page_asked_for_are_refused():
    of, _ = ledger()
    assert [of.begin("s", f"file {k}", 100 * MB) for k in range(6)] == [TOO_LARGE] * 6
    assert [of.begin("s", f"small {k}", UNREQUESTED // 2) for k in range(3)] == ["", "", TOO_LARGE]


def test_a_file_counts_until_its_scan_has_been_read():
    of, _ = ledger(session=10 * MB)
    read = threading.Event()
    assert sent(of, "s", 1, 10 * MB) == [""]
    of.hand_over("s", "file 0", read)
    assert sent(of, "s", 1, 10 * MB, start=1) == [TOO_LARGE]
    read.set()
    assert sent(of, "s", 1, 10 * MB, start=1) == [""]


def test_the_same_name_is_not_taken_twice_at_a_time():
    of, _ = ledger()
    assert sent(of, "s", 1, MB) == [""] and of.begin("s", "file 0", MB) == TOO_MANY


def test_what_nobody_comes_for_is_let_go_of():
    of, clock = ledger(session=10 * MB)
    sent(of, "s", 1, 10 * MB)
    assert of.abandoned(lambda session: True) == []
    clock.now = IDLE + 1
    assert of.abandoned(lambda session: True) == ["s"] and of.abandoned(lambda session: True) == []
    sent(of, "left", 1, 10 * MB)
    assert of.abandoned(lambda session: session != "left") == ["left"]
    assert sent(of, "s", 1, 10 * MB, start=2) == [""]


def test_each_upload_that_was_turned_away_is_told_of_once():
    of, _ = ledger(session=MB)
    sent(of, "s", 3, MB)
    assert of.to_tell() == {"s"} and of.to_tell() == set()
    assert of.turned_away("s") == [TOO_LARGE] * 2 and of.turned_away("s") == []


@pytest.fixture
def client():
    """(client, ledger): a server that takes 1 MB of a session and fails for files called 'bad'."""
    of, _ = ledger(session=MB)

    async def take(request):
        return Response(status_code=400 if request.path_params["file"] == "bad" else 204)

    app = Starlette(
        routes=[Route("/base/_stcore/upload_file/{session}/{file}", take, methods=["PUT", "DELETE"])],
        middleware=[Middleware(UploadLimits, ledger=of)],
    )
    return TestClient(app, base_url="http://127.0.0.1:8501"), of


def test_an_upload_that_is_too_much_is_refused_before_its_bytes_are_taken(client):
    asked, of = client
    for name in "abc":
        of.ask("s", name)
    put = lambda name, size: asked.put(f"/base/_stcore/upload_file/s/{name}", content=b"x" * size)
    assert put("a", MB // 2).status_code == 204
    refused = put("b", MB)
    assert (refused.status_code, refused.text) == (413, TOO_LARGE)
    assert asked.delete("/base/_stcore/upload_file/s/a").status_code == 204
    assert put("c", MB).status_code == 204


def test_an_upload_that_fails_does_not_count(client):
    asked, of = client
    for _ in range(3):
        of.ask("s", "bad")
        assert asked.put("/base/_stcore/upload_file/s/bad", content=b"x" * MB).status_code == 400


def test_an_upload_of_unknown_length_is_refused(client):
    asked, _ = client
    assert asked.put("/base/_stcore/upload_file/s/a", content=iter([b"x" * 100])).status_code == 411
