"""What the server answers at the address of a page, at one of no page, and at those of everything else."""

import base64
import hashlib
import re

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from server import addresses
from server.headers import inline_scripts

A_PAGE = {"accept": "text/html,*/*", "sec-fetch-dest": "document"}


@pytest.fixture(scope="module")
def client():
    async def anything(request):
        return PlainTextResponse("streamlit")

    known = addresses.routes(["bias"])
    app = Starlette(routes=[*known, Route("/{rest:path}", anything)])
    return TestClient(addresses.KnownPagesOnly(app, ["bias"], ["scans"]))


def test_a_pages_own_address_gives_the_document_that_knows_where_the_app_begins(client):
    text = client.get("/bias", headers=A_PAGE).text
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, flags=re.DOTALL)
    assert scripts[0] == addresses.SCRIPT  # before any script that asks for something
    named = base64.b64encode(hashlib.sha256(addresses.SCRIPT.encode()).digest()).decode()
    assert f"'sha256-{named}'" in inline_scripts()


@pytest.mark.parametrize(
    ("path", "home"),
    [("/nonsense", "./"), ("/nonsense/", "../"), ("/bias/deeper", "../"), ("/bias/a/b", "../../"), ("/Bias", "./")],
)
def test_an_unknown_address_says_so_and_leads_home(client, path, home):
    text = client.get(path, headers=A_PAGE).text
    assert "There is no page at this address" in text and f'<a href="{home}">' in text
    assert "Research use only, not for diagnosis" in text


@pytest.mark.parametrize(
    "path", ["/", "/scans/x", "/media/x.png", "/_stcore/health", "/favicon.png", "/static/js/index.js", "/?x=1"]
)
def test_what_else_is_served_stays_where_it_is(client, path):
    assert client.get(path, headers=A_PAGE).text == "streamlit"


def test_what_no_browser_opens_as_a_page_is_let_through(client):
    assert client.get("/nonsense", headers={"accept": "*/*"}).text == "streamlit"
    assert client.get("/nonsense", headers={**A_PAGE, "sec-fetch-dest": "empty"}).text == "streamlit"
