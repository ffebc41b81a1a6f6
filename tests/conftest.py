"""One thread a process: the same sums in the same order everywhere, and two test processes fit two cores.

And the command line in this process, and Streamlit scripts served by processes of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.places import ROOT

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


@pytest.fixture(scope="session")
def serve(tmp_path_factory):
    """serve(script_path, *args, env={}) -> address of that Streamlit script; the same call gives the same server."""
    running: dict[tuple, tuple[subprocess.Popen, str]] = {}

    def start(script_path, *args: str, env: dict[str, str] | None = None) -> str:
        wanted = (str(script_path), args, tuple(sorted((env or {}).items())))
        if wanted not in running:
            running[wanted] = _started(
                ROOT / script_path, args, env or {}, tmp_path_factory.mktemp("served") / "log.txt"
            )
        return running[wanted][1]

    yield start
    for process, _ in running.values():
        process.terminate()
    for process, _ in running.values():
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _started(script: Path, args: tuple[str, ...], env: dict[str, str], log: Path) -> tuple[subprocess.Popen, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(script),
        "--server.port",
        str(port),
        "--server.address",
        "127.0.0.1",
    ]
    command += [
        "--server.headless",
        "true",
        "--server.fileWatcherType",
        "none",
        "--browser.gatherUsageStats",
        "false",
        "--theme.base",
        "dark",
    ]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--", *args],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths, **env},
        )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return process, address
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"{script.name} did not start:\n{log.read_text()[-2000:]}")
