"""The one-way streets of pyproject.toml hold, and no module imports itself round a corner."""

import graphlib
import os
import subprocess
import sys

import grimp
import pytest

from tests.places import ROOT


@pytest.fixture(scope="module")
def graph():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.syspath_prepend(str(ROOT))
        return grimp.build_graph(
            "engine", "otherwise", "pages", "server", "viewer", cache_dir=None, exclude_type_checking_imports=True
        )


def test_every_one_way_street_holds():
    """In a process of its own, as the linter sets up logging for its own ends."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_no_module_imports_itself_round_a_corner(graph):
    """Imports inside functions count, and those between a package and its own modules too."""
    order = graphlib.TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    order.prepare()  # raises CycleError, which names the circle


def test_opening_a_checkpoint_first_finds_every_method():
    """In a process of its own, where nothing has imported the registry yet."""
    program = (
        "from engine.checkpoints.resolve import open_checkpoint, shipped\n"
        "opened = [open_checkpoint(name) for name in shipped()]\n"
        "assert opened and all(checkpoint.method for checkpoint in opened)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, ended.stderr
