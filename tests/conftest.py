"""One thread a process: the same sums in the same order everywhere, and two test processes fit two cores.

And the command line in this process, and Streamlit scripts served by processes of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from tests.places import ROOT
from tools.serve import served

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture
def engine(monkeypatch, capsys):
    """Runs one command in this process: (exit code, standard output, standard error)."""

    def run(*words):
        from engine import __main__  # brings torch, after the lines above

        monkeypatch.setattr(sys, "argv", ["engine", *map(str, words)])
        try:
            __main__.main()
            code = 0
        except SystemExit as left:
            code = left.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def inference_here(monkeypatch):
    """Models answer in this process, for tests that change a function of theirs."""
    from pages.components import common

    class Here:
        def start(self):
            pass

        def call(self, function, *arguments, progress=None, turns=False):
            return function(progress or (lambda done, every: None), *arguments)

    monkeypatch.setattr(common, "inference", Here)


@pytest.fixture(scope="module")
def listener():
    """(host:port, connections) of a server somewhere else that takes every connection and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = []

        def take():
            while True:
                try:
                    taken.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", taken
        for connection in taken:
            connection.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """serve(script_path, *args, env={}) -> address of that Streamlit script; the same call gives the same server.

    Servers end with the module that asked for them: each holds several hundred MB with its worker.
    """
    running: dict[tuple, tuple[subprocess.Popen, str]] = {}

    def start(script_path, *args: str, env: dict[str, str] | None = None) -> str:
        wanted = (str(script_path), args, tuple(sorted((env or {}).items())))
        if wanted not in running:
            log = tmp_path_factory.mktemp("served") / "log.txt"
            running[wanted] = served(ROOT / script_path, log, args, env)
        return running[wanted][1]

    yield start
    for process, _ in running.values():
        process.terminate()
    for process, _ in running.values():
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
