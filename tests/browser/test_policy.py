"""What a page of the app asks the world for: nothing, whoever made the checkpoint that it shows."""

import pytest

from tests.browser.conftest import SLOW, settled

PAGES = ("Explain", "What the model learned", "Bias report", "Models")


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory, listener):
    from engine.methods.attri_net.produce import tiny

    folder = tmp_path_factory.mktemp("checkpoints")
    to = f"http://{listener[0]}"
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


def test_no_page_asks_anybody_else_and_no_console_has_an_error(page, address, listener):
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
    assert listener[1] == [] and said == [] and page.troubles == []


def test_the_policy_stops_what_would_be_loaded_from_elsewhere(page, address, listener):
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
        listener[0],
    )
    assert loaded == [False, False, False, False] and listener[1] == []


def test_no_other_page_may_put_the_app_in_a_frame(page, address):
    with page.expect_response(address + "/") as answer:
        page.goto(address)
    policy = answer.value.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


@pytest.mark.parametrize("path", ["/review", "/learned", "/bias", "/models"])
def test_a_page_opened_by_its_address_is_that_page_and_no_console_has_an_error(page, address, path):
    said = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(address + path)
    page.wait_for_selector(".brand", timeout=SLOW)
    settled(page)
    if path == "/learned":  # its choice of findings shows a name with a picture in it as text
        page.get_by_text("/f.png").first.wait_for(timeout=SLOW)
    assert page.url == address + path and page.title() != "Explain - Otherwise"
    assert said == [] and page.troubles == []


def test_an_unknown_address_says_so_and_leads_to_the_first_page(page, address):
    said = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(f"{address}/nonsense/deeper")
    page.get_by_text("There is no page at this address").wait_for(timeout=SLOW)
    page.get_by_role("link").click()
    page.wait_for_selector(".viewer .card", timeout=SLOW)
    assert page.url == f"{address}/" and said == [] and page.troubles == []
