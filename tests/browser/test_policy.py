"""What a page of the app asks the world for: nothing, whoever made the checkpoint that it shows."""

import socket
import threading

import pytest

from tests.browser.conftest import SLOW, settled

PAGES = ("Explain", "What the model learned", "Bias report", "Models")


@pytest.fixture(scope="module")
def elsewhere():
    """(address, connections) of a server that a card points at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def take():
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", taken
        for connection in taken:
            connection.close()


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory, elsewhere):
    from engine.methods.attri_net.produce import tiny

    folder = tmp_path_factory.mktemp("checkpoints")
    to = f"http://{elsewhere[0]}"
    tiny(folder / "attri-net-one", findings=("Atelectasis", f"![f]({to}/f.png)"))
    card = folder / "attri-net-one" / "card.md"
    pictures = (
        f"!![x]({to}/a.png) ![x]({to}/b.png) <img src={to}/c.png> [x][y]\n\n![z][y]\n\n[y]: {to}/d.png\n\n<img "
        f"src={to}/e.png>\n"
    )
    text = card.read_text()
    card.write_text(text.replace("\n## Data and licence\n", f"\nLook: {pictures}\n## Data and licence\n", 1))
    assert card.read_text() != text
    return serve("app.py", env={"OTHERWISE_CHECKPOINTS": str(folder), "OMP_NUM_THREADS": "1"})


def test_no_page_asks_anybody_else_and_no_console_has_an_error(page, address, elsewhere):
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(address)
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    for name in PAGES[1:]:
        page.get_by_role("link", name=name).click()
        settled(page)
    page.get_by_text("Look:").wait_for(timeout=SLOW)
    assert page.locator(".model-card img").count() == 0
    page.wait_for_timeout(500)
    host = address.removeprefix("http://")
    assert {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))} == {host}
    assert elsewhere[1] == [] and said == [] and page.troubles == []


def test_the_policy_stops_what_would_be_loaded_from_elsewhere(page, address, elsewhere):
    page.goto(address)
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    loaded = page.evaluate(
        """async (to) => {
          const picture = new Promise((done) => { const i = new Image(); i.onload = () => done(true);
            i.onerror = () => done(false); i.src = `http://${to}/a.png`; });
          const fetched = fetch(`http://${to}/b`).then(() => true, () => false);
          const script = new Promise((done) => { const s = document.createElement('script');
            s.onload = () => done(true); s.onerror = () => done(false); s.src = `http://${to}/c.js`;
            document.head.append(s); });
          window.ran = false;
          const inline = document.createElement('script'); inline.textContent = 'window.ran = true';
            document.head.append(inline);
          return [await picture, await fetched, await script, window.ran];
        }""",
        elsewhere[0],
    )
    assert loaded == [False, False, False, False] and elsewhere[1] == []


def test_no_other_page_may_put_the_app_in_a_frame(page, address):
    with page.expect_response(address + "/") as answer:
        page.goto(address)
    policy = answer.value.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
