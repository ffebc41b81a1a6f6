"""How pixels reach a real browser: by HTTP, to the one who is to see them, for as long as they are on show."""

import io
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import SLOW, settled


def fetched(page):
    """The addresses of pixels that a page asks for, as a list that grows."""
    addresses = []
    page.on("request", lambda request: addresses.append(request.url) if "/pixels/" in request.url else None)
    return addresses


def status(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def cookie_of(page):
    return "; ".join(
        f"{c['name']}={c['value']}" for c in page.context.cookies() if c["name"].startswith("otherwise_reader")
    )


@pytest.fixture(scope="module")
def visit(browser, serve):
    context = browser.new_context()
    page = context.new_page()
    addresses = fetched(page)
    page.goto(serve("viewer/demo.py"))
    page.locator(".panel canvas").first.wait_for(timeout=SLOW)
    settled(page)
    yield page, addresses
    context.close()


def test_pixels_open_for_their_own_browser_only(visit, browser):
    page, addresses = visit
    own = cookie_of(page)
    assert addresses and status(addresses[0], Cookie=own) == 200
    assert status(addresses[0]) == 404
    with browser.new_context() as another:
        stranger = another.new_page()
        stranger.goto(page.url)
        stranger.locator(".panel canvas").first.wait_for(timeout=SLOW)
        assert cookie_of(stranger) != own
        assert status(addresses[0], Cookie=cookie_of(stranger)) == 404
        assert stranger.evaluate("address => fetch(address).then(answer => answer.status)", addresses[0]) == 404
    assert status(addresses[0], Cookie=own) == 200


def test_pixels_are_refused_to_other_hosts_and_origins_even_with_the_cookie(visit):
    page, addresses = visit
    own = cookie_of(page)
    assert status(addresses[0], Cookie=own, Host="evil.example") == 403
    assert status(addresses[0], Cookie=own, Origin="http://localhost:9999") == 403


def test_the_key_of_a_browser_is_out_of_its_scripts_reach(visit):
    page, _ = visit
    (cookie,) = (c for c in page.context.cookies() if c["name"].startswith("otherwise_reader"))
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["expires"] == -1
    assert "otherwise_reader" not in page.evaluate("document.cookie")


def test_pixels_end_with_the_page_that_showed_them(browser, serve):
    with browser.new_context() as context:
        page = context.new_page()
        addresses = fetched(page)
        page.goto(serve("viewer/demo.py"))
        page.locator(".panel canvas").first.wait_for(timeout=SLOW)
        own = cookie_of(page)
        assert status(addresses[0], Cookie=own) == 200
        page.close()
        waiting = context.new_page()
        for _ in range(60):
            if status(addresses[0], Cookie=own) == 404:
                break
            waiting.wait_for_timeout(500)
        assert status(addresses[0], Cookie=own) == 404


def test_an_address_ends_and_a_page_that_needs_it_again_gets_another(page, serve):
    addresses = fetched(page)
    page.goto(serve("tests/server/short_lived.py"))
    page.locator(".panel canvas").first.wait_for(timeout=SLOW)
    settled(page)
    page.wait_for_timeout(1500)
    assert status(addresses[0], Cookie=cookie_of(page)) == 404
    page.locator(".card[data-name=Edema] .option").click()
    settled(page)
    assert page.locator(".panel").count() == 4 and page.troubles == []


def test_a_page_whose_pixels_have_ended_asks_for_them_anew(page, serve):
    turned_away = []

    def turn_away(route):
        if len(turned_away) < 3:
            turned_away.append(route.request.url)
            route.fulfill(status=404, body="gone")
        else:
            route.continue_()

    page.route("**/pixels/*", turn_away)
    page.goto(serve("tests/server/short_lived.py"))
    page.locator(".panel canvas").first.wait_for(timeout=SLOW)
    assert turned_away and page.troubles == []


@pytest.mark.parametrize("side", [3000])
def test_a_large_film_does_not_pass_through_the_socket(page, serve, tmp_path, side):
    largest = [0]
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: largest.append(len(frame))))
    page.goto(serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(tmp_path), "OMP_NUM_THREADS": "1"}))
    page.locator(".panel canvas").first.wait_for(timeout=SLOW)
    film = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 65535, (side, side)).astype(np.uint16)).save(
        film, "PNG", compress_level=1
    )
    page.set_input_files(
        "input[type=file]", files=[{"name": "film.png", "mimeType": "image/png", "buffer": film.getvalue()}]
    )
    page.locator(".viewer .badges", has_text=f"{side} x {side}").wait_for(timeout=SLOW)
    assert max(largest) < 1_000_000 and page.troubles == []
    assert urlsplit(page.url).hostname == "127.0.0.1"
