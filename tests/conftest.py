"""One thread a process: the same sums in the same order everywhere, and two test processes fit two cores. And the command line."""

import os
import sys

import pytest

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
