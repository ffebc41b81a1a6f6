"""Requests that were not meant for this app, sent to a server that really runs."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.places import ROOT

ROUTES = (
    "/",
    "/learned",
    "/_stcore/health",
    "/_stcore/host-config",
    "/media/0.png",
    "/component/x/y.js",
    "/_stcore/bidi-components/x/y.js",
    "/_stcore/upload_file/a/b",
    "/static/js/x.js",
    "/pixels/x",
    "/nothing",
)


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory, listener):
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), f"http://{listener[0]}")
    empty = str(tmp_path_factory.mktemp("checkpoints"))
    return serve(
        "app.py",
        env={
            "OTHERWISE_CHECKPOINTS": empty,
            "OTHERWISE_ALLOWED_HOSTS": "Reading-Room.example.org, lab:9000",
            "NO_PROXY": "",
            **proxies,
        },
    )


def asked(address, path, method="GET", **headers):
    """The status and the text of one answer; `Host=` may be several, `None` sends none."""
    netloc = urlsplit(address).netloc
    connection = http.client.HTTPConnection(netloc, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    hosts = headers.pop("Host", netloc)
    for host in [] if hosts is None else [hosts] if isinstance(hosts, str) else hosts:
        connection.putheader("Host", host)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, text


def knocked(address, **headers):
    """The status with which the socket of a session is opened: 101 is in."""
    words = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    netloc = urlsplit(address).netloc
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in ({"Host": netloc} | words | headers).items()]
    with socket.create_connection(tuple(netloc.split(":")), timeout=60) as connection:
        connection.sendall("\r\n".join(["GET /_stcore/stream HTTP/1.1", *lines, "", ""]).encode())
        return int(connection.recv(4096).split()[1])


def port(address):
    return urlsplit(address).port


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1:9999",
        "localhost:9999",
        "127.0.0.1",
        "",
        "127.0.0.1:PORT@evil.example",
        "127.0.0.1.evil.example:PORT",
    ],
)
def test_no_route_answers_under_another_host_name(address, path, host):
    status, text = asked(address, path, Host=host.replace("PORT", str(port(address))))
    assert status == 403 and text == "This app is not served under that host name."


def test_no_host_or_two_hosts_are_refused(address):
    assert asked(address, "/", Host=None)[0] in (400, 403)
    own = urlsplit(address).netloc
    assert asked(address, "/", Host=(own, "evil.example"))[0] in (400, 403)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:PORT",
        "localhost:PORT",
        "LOCALHOST:PORT",
        "reading-room.example.org",
        "reading-room.example.org:8443",
        "lab:9000",
    ],
)
def test_own_names_and_those_that_were_allowed_are_answered(address, host):
    host = host.replace("PORT", str(port(address)))
    assert asked(address, "/_stcore/health", Host=host) == (200, "ok")
    assert knocked(address, Host=host, Origin=f"http://{host}") == 101


def test_a_name_that_was_allowed_on_one_port_is_not_on_another(address):
    assert asked(address, "/", Host="lab:9001")[0] == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:9999",
        "http://127.0.0.1:9999",
        "http://localhost:PORT",
        "null",
        "HTTP://127.0.0.1:PORT",
        "file://",
    ],
)
def test_another_origin_gets_no_session_and_nobody_outside_is_asked(address, origin, listener):
    origin = origin.replace("PORT", str(port(address)))
    assert knocked(address, Origin=origin) == 403
    assert asked(address, "/_stcore/health", Origin=origin)[0] == 403
    assert listener[1] == []


@pytest.mark.parametrize("host", ["evil.example", "localhost:9999"])
def test_another_host_name_gets_no_session(address, host, listener):
    assert knocked(address, Host=host) == 403
    assert knocked(address, Host=host, Origin=f"http://{host}") == 403
    assert listener[1] == []


def test_the_app_itself_gets_a_session(address):
    assert knocked(address, Origin=address) == 101


def test_what_another_site_embeds_is_refused_but_a_link_is_followed(address):
    for site in ("cross-site", "same-site"):
        assert asked(address, "/media/0.png", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")[0] == 403
        assert asked(address, "/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 200


@pytest.mark.parametrize(
    "path", ["/_stcore/metrics", "/_stcore/metrics/", "/%5fstcore/metrics", "/_stcore/metrics?families=session_events"]
)
def test_metrics_are_off(address, path):
    status, text = asked(address, path)
    assert status in (307, 404) and "session" not in text


def test_a_setting_that_cannot_be_ends_in_one_sentence():
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true", "--server.port", "0"]
    for name, value in (("OTHERWISE_ALLOWED_HOSTS", "http://a/b"), ("OTHERWISE_RETENTION_MINUTES", "soon")):
        ended = subprocess.run(
            command, cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode != 0 and "Traceback" not in ended.stderr
        assert f"{name} " in ended.stderr
