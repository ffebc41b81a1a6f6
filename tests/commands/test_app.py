"""The command that serves the pages: what stands in its way is said in one sentence."""

import socket
import sys

import pytest

from engine.commands import app as command
from engine.errors import UsageError


@pytest.fixture
def started(monkeypatch):
    """The words with which the server would have been started, each time that it would have been."""
    words = []
    monkeypatch.setattr(command.os, "execv", lambda program, line: words.append(line))
    return words


def test_a_port_that_is_in_use_is_said_with_how_to_choose_another(started):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} is in use.*--port"):
            command.app(port)
    assert not started


def test_a_free_port_and_any_free_port_are_served(started):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    command.app(port)
    command.app(0)
    assert [line[line.index("--server.port") + 1] for line in started] == [str(port), "0"]
    assert all(line[0] == sys.executable for line in started)
