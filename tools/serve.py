"""A Streamlit script served on a free port of this machine, for tests and measurements."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "theme.base": "dark",
}


class DidNotStart(RuntimeError):
    """A script that is not served; the message holds the end of its log."""


def served(
    script: Path,
    log: Path,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    under: Sequence[str] = (),
    patience: float = 120,
    port: int = 0,
) -> tuple[subprocess.Popen, str]:
    """Starts the script's server in a process group of its own, and waits until it answers.

    Args:
        log: where all that it says is written.
        args: of the script.
        env: beside this process's own environment.
        under: a command that starts the server, as in ("taskset", "-c", "0,1").
        patience: seconds.
        port: where it answers; 0 for a free one.

    Returns:
        the process, and the server's address.

    Raises:
        DidNotStart: the process ended, or does not answer in time; it is killed.
    """
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    command = [*under, sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *options]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, **(env or {})}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--", *args],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return process, address
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise DidNotStart(f"{script.name} did not start:\n{log.read_text()[-2000:]}")
