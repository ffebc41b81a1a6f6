"""What collections declare about themselves, and that nothing else keeps a list of them."""

import subprocess
import sys

import pytest

from engine.datasets import collections, draws_its_own, open_collection, register_collection, registered_collection
from engine.datasets.collection import Collection
from engine.scan.record import KINDS
from tests.places import ROOT

KNOWN = collections()


def test_every_collection_registers_itself_in_its_own_file():
    assert {"phantom", "chestxray8", "busi", "brats", "vagan_synthetic"} <= {*KNOWN}
    for name, one in KNOWN.items():
        assert one.name == name == one.opens.name and one.kind == one.opens.kind in KINDS
        assert issubclass(one.opens, Collection) and one.title and one.terms


def test_no_command_and_no_page_keeps_a_list_of_collections():
    for path in [*(ROOT / "engine" / "commands").glob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        named = [name for name in KNOWN if f'"{name}"' in path.read_text(encoding="utf-8")]
        assert len(named) < 2, f"{path.name} names {named}"


def test_knowing_the_collections_loads_neither_torch_nor_what_reads_tables():
    loads = "import sys; from engine.datasets import collections; collections(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "skimage", "streamlit"} & {*run.stdout.split()}


def test_a_collection_joins_with_one_decorator_and_takes_the_options_of_its_constructor(monkeypatch):
    monkeypatch.setattr("engine.datasets.registry._registered", dict(KNOWN))

    @register_collection("small", title="small films", kind="radiograph", terms="none", needs_folder=False)
    class Small(Collection):
        def __init__(self, count: int = 3, share: float = 0.5, shape: str | None = None):
            self.made = count, share, shape

        def image(self, index, size=None):
            raise NotImplementedError

        def split(self, name):
            raise NotImplementedError

    known = registered_collection("small")
    assert known.options == {"count": int, "share": float, "shape": str} and not known.takes_findings
    values = known.values_of({"count": "7", "share": "0.25", "shape": "7"})
    small = open_collection("small", **values)
    assert small.made == (7, 0.25, "7") and small.options == values and small.name == "small"
    assert known.values_of(small.options) == values, "what was remembered opens the same again"
    assert draws_its_own("small") and not draws_its_own("busi") and not draws_its_own("nothing")
    with pytest.raises(ValueError, match="two collections"):
        register_collection("small", title="other", kind="CT", terms="none")(Small)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"count": "many"}, "count must be a whole number, got 'many'"),
        ({"count": "2.5"}, "count must be a whole number"),
        ({"paint": "red"}, "no such option as 'paint'; there are count, marker, marker_share, seed, size"),
    ],
)
def test_an_option_that_is_none_is_refused_in_one_sentence(option, says):
    with pytest.raises(ValueError, match=says):
        registered_collection("phantom").values_of(option)


def test_a_folder_of_this_machine_is_no_option_to_remember():
    assert registered_collection("mimic_cxr").options["demographics"].__name__ == "Path"


@pytest.mark.parametrize(("marker", "share"), [(None, 50), ("R", 101), ("R", -1), (" ", None)])
def test_a_marker_of_no_text_or_an_impossible_share_is_refused(marker, share):
    with pytest.raises(ValueError, match="marker"):
        open_collection("phantom", count=2, marker=marker, marker_share=share)


def test_a_marker_can_be_given_as_its_text():
    films = open_collection("phantom", count=40, size=32, marker="7", marker_share=50)
    assert [mark.text for mark in films.markers] == ["7"] and films.markers[0].share_of_negatives == 0.5
    assert films.options == {"count": 40, "size": 32, "marker": "7", "marker_share": 50}
