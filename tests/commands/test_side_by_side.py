"""reproduce all: every table is made, one that cannot be stops no other, and what is missing is said at the end.

The tables that compare methods have their tests in tests/reproduce.
"""

from pathlib import Path

import pytest

from engine.commands import side_by_side
from engine.commands.side_by_side import ALL, JUDGED, NAMES, make_all
from engine.errors import UsageError
from engine.reproduce.comparisons import COMPARISONS
from engine.reproduce.tables import STUDIES, TABLES, TOGETHER
from engine.training.presets import RUNS


def made(calls, fails=()):
    def make(name, preset, root, train, device, threads, precision, runs, generator, json):
        calls[name] = {"root": root, "runs": runs, "precision": precision, "json": json, "train": train}
        if name in fails:
            raise UsageError(f"{name} cannot be made")
        return ["one row"] if name == "cx-gan-busi" else []

    return make


def all_of(make, root=None, train=True, json=None):
    return make_all(make, "demo", root, train, "auto", 1, None, RUNS, json)


def test_every_table_is_made_and_what_is_missing_is_said_at_the_end(capsys):
    calls = {}
    missing = all_of(made(calls, fails=("attri-net-nih",)))
    assert {*calls} == {*NAMES} - {ALL, *TOGETHER} == {*TABLES, *STUDIES, *COMPARISONS, JUDGED}
    assert missing == ["attri-net-nih: attri-net-nih cannot be made", "cx-gan-busi: one row"]
    end = capsys.readouterr().out.rstrip().split("Missing:")[-1]
    assert all(reason in end for reason in missing)


def test_each_table_gets_its_own_folder_of_the_collections_folder(tmp_path):
    calls = {}
    (tmp_path / "chestxray8").mkdir()
    all_of(made(calls), tmp_path, json=Path("out/rows.json"))
    assert calls["attri-net-phantom"]["root"] is None is calls["methods-phantom"]["root"]
    assert calls["cx-gan-busi"]["root"] == tmp_path / "busi"
    for name in ("attri-net-nih", "implants", "methods-implants", "methods-nih", JUDGED):
        assert calls[name]["root"] == tmp_path / "chestxray8", name
    assert calls["implants"]["json"] == Path("out/rows-implants.json")
    assert len({call["json"] for call in calls.values()}) == len(calls)


def test_without_real_films_the_measures_are_judged_on_drawn_ones_alone(tmp_path):
    calls = {}
    all_of(made(calls), tmp_path)
    assert calls[JUDGED]["root"] is None and calls["methods-implants"]["root"] is not None


def test_without_training_a_study_that_makes_its_own_models_is_named_as_missing(capsys):
    calls = {}
    missing = all_of(made(calls), train=False)
    assert not {*STUDIES} & {*calls} and set(STUDIES) <= {reason.split(":")[0] for reason in missing}


def test_a_comparison_prints_what_is_missing_of_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(side_by_side, "compared", lambda *_: ([], ["latent shift: not measured yet"]))
    missing = side_by_side.side_by_side(JUDGED, "demo", None, False, "cpu", None, tmp_path, None)
    said = capsys.readouterr().out
    assert missing == ["drawn films: latent shift: not measured yet"] and missing[0] in said and "--root" in said


@pytest.mark.parametrize("name", [*COMPARISONS, JUDGED, ALL])
def test_the_tables_are_offered(name):
    assert name in NAMES
