"""Promises of the route that serves JavaScript modules: whole files, for good, and nothing else of the disk."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from server import modules


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "entry.js").write_text('export { one } from "./one.js";\n')
    (tmp_path / "one.js").write_text('export const one = "Å";\n', encoding="utf-8")
    (tmp_path / "secret.txt").write_text("not a module")
    return tmp_path


@pytest.fixture
def client():
    return TestClient(Starlette(routes=modules.routes()))


def test_a_module_is_served_as_it_is_and_may_be_kept(folder, client):
    address = modules.publish(folder)
    answer = client.get(f"/{address}one.js")
    assert answer.content == (folder / "one.js").read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


def test_another_text_has_another_address_and_the_same_text_the_same(folder):
    before = modules.publish(folder)
    assert modules.publish(folder) == before
    (folder / "one.js").write_text("export const one = 2;\n")
    assert modules.publish(folder) != before


@pytest.mark.parametrize("name", ["secret.txt", "two.js", "..%2Fentry.js", "%2e%2e/%2e%2e/etc/passwd", ""])
def test_nothing_else_is_served(folder, client, name):
    answer = client.get(f"/{modules.publish(folder)}{name}")
    assert answer.status_code == 404 and "immutable" not in answer.headers.get("cache-control", "")


def test_an_unknown_version_is_told_to_reload(folder, client):
    modules.publish(folder)
    answer = client.get("/modules/0123/one.js")
    assert answer.status_code == 404 and "reload" in answer.text


def test_a_folder_without_modules_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no JavaScript module"):
        modules.publish(tmp_path)
