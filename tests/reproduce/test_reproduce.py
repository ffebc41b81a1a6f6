"""Ours beside the paper's: every row has a number or says why not, and nothing is trained unasked."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoints.format import RefusedCheckpoint
from engine.commands.reproduce import reproduce, training_job
from engine.commands.shared import opened
from engine.commands.train import GUIDANCE
from engine.datasets.collection import UnusableCollection
from engine.datasets.phantom.collection import FINDINGS
from engine.errors import UsageError
from engine.methods.attri_net.produce import tiny
from engine.methods.attri_net.train import PRESETS
from engine.methods.supervised.produce import tiny as tiny_ceiling
from engine.metrics.measure import Measure, Sample, metrics
from engine.registry import method, open_model
from engine.reproduce.records import Baselines, Table, Training, assembled
from engine.reproduce.rows import Ratio, Wanted, ratio
from engine.reproduce.tables import (
    EARLY,
    GUIDED,
    IN_PSEUDO_MASK,
    MEAN,
    MEAN_AUC,
    RESNET,
    TABLES,
    TOGETHER,
    UNGUIDED,
    early_and_pseudo,
    early_auc,
)
from engine.training.loop import Machine
from engine.training.presets import with_changes
from tests.datasets.test_covid_ct_md import write_sample
from tests.places import REAL_SCANS

command = import_module("engine.commands.reproduce")  # the package's attribute of that name is the command itself
REAL = REAL_SCANS / "nih1000"
SMALL = {"size": "32", "width": "4", "residual_blocks": "1", "critic_layers": "4", "pool": "8", "code_repeat": "4"}
ONE_STEP = {"steps": "1", "validate_every": "1", "warm_steps": "0"}


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """An empty folder of shipped checkpoints, and the tables on 60 patients."""
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "shipped"))
    for name, table in TABLES.items():
        monkeypatch.setitem(TABLES, name, replace(table, options=[o.replace("6000", "60") for o in table.options]))
    return tmp_path / "shipped"


def measure(metric="disease_sensitivity", value=0.3, half_width=0.03, n=10) -> Measure:
    return Measure(metric, "", value, value - half_width, value + half_width, n, variant=MEAN.variant)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_whole(name):
    table = TABLES[name]
    asked = {model for row in table.rows for model, _ in row.asks}
    assert asked == {*table.models, *(table.baselines.names if table.baselines else ())}
    assert all(row.metric in metrics() for row in table.rows)
    assert all(training.guidance in GUIDANCE for training in table.models.values())
    for training in table.models.values():
        entry = method(training.method or table.method)
        for preset in entry.presets().values():
            if not training.method:
                with_changes(preset, {**table.changes, **training.changes, **training.demo})  # every setting exists


def test_an_unknown_table_is_refused_by_naming_the_known_ones():
    with pytest.raises(
        UsageError, match="there are attri-net-phantom, attri-net-tag, attri-net-nih, cx-gan-synthetic, .*cx-gan-real"
    ):
        reproduce("attri-net-mnist")


def test_tables_that_are_asked_for_together_exist_and_each_finds_its_own_folder():
    for names in TOGETHER.values():
        assert len({TABLES[name].measured_data for name in names}) == len(names) > 1 and {*names} <= {*TABLES}
    assert command._folder(Path("data"), TABLES["cx-gan-busi"], True) == Path("data/busi")
    assert command._folder(Path("data"), TABLES["cx-gan-busi"], False) == Path("data")


def test_an_unknown_preset_is_refused_by_naming_the_known_ones():
    with pytest.raises(UsageError, match="no preset 'huge'; there are .*demo"):
        reproduce("attri-net-phantom", preset="huge")


def test_what_is_missing_is_said_and_not_trained_when_training_is_not_wanted(shipped, tmp_path, capsys):
    reproduce("attri-net-phantom", train=False, runs=tmp_path / "runs", json=tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert len(rows) == len(TABLES["attri-net-phantom"].rows)
    assert all(row["value"] is None and "leave --no-train out" in row["remark"] for row in rows)
    printed = capsys.readouterr().out
    assert (
        printed.count("checkpoint attri-net-phantom-unguided is not there") == 1
    )  # however many rows it is missing from
    assert all(row["subject"] in printed for row in rows)
    assert not shipped.exists() and not (tmp_path / "runs").exists()


def test_of_baselines_the_missing_ones_are_said_and_the_others_are_shown(shipped, tmp_path, monkeypatch):
    table = Table(
        method="attri_net",
        data="phantom",
        options=("count=60",),
        models={},
        rows=(Wanted("one", "auc", MEAN_AUC), Wanted("other", "auc", MEAN_AUC)),
        note="",
        baselines=Baselines(
            ("one", "other"), lambda *given: {"one": [replace(measure("auc"), variant=MEAN_AUC.variant)]}
        ),
    )
    monkeypatch.setitem(TABLES, "small", table)
    reproduce("small", train=False, runs=tmp_path / "runs", json=tmp_path / "rows.json")
    one, other = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert one["value"] == 0.3 and other["value"] is None and "has not been trained" in other["remark"]


def test_seeds_that_no_training_has_are_refused():
    with pytest.raises(UsageError, match="takes whole numbers"):
        reproduce("causal-alignment-busi", seeds="first")
    with pytest.raises(ValueError, match="no training of seed 7; its seeds are 42, 43, 44"):
        reproduce("causal-alignment-busi", seeds="42,7")
    with pytest.raises(UsageError, match="takes no --seeds"):
        reproduce("methods-phantom", seeds="42")


@pytest.mark.parametrize(
    ("name", "models"), [("attri-net-phantom", (UNGUIDED, GUIDED)), ("attri-net-tag", (UNGUIDED, GUIDED))]
)
def test_every_row_about_a_checkpoint_has_a_number_once_it_is_there(shipped, tmp_path, name, models, capsys):
    for seed, training in enumerate(TABLES[name].models.values()):
        if training.method:
            tiny_ceiling(shipped / training.name, FINDINGS, seed)
        else:
            tiny(shipped / training.name, FINDINGS, seed)
    reproduce(name, train=False, runs=tmp_path / "runs", json=tmp_path / "rows.json")
    rows, table = json.loads((tmp_path / "rows.json").read_text())["rows"], TABLES[name]
    known, unknown = [r for r in rows if r["value"] is not None], [r for r in rows if r["value"] is None]
    assert all(
        RESNET in row["subject"] or row["metric"] == "class_sensitivity" for row in unknown
    )  # which needs more pictures
    expected = [w for w in table.rows if w.model != RESNET and w.metric != "class_sensitivity"]
    numbers = [row for row in known if row["metric"] != "class_sensitivity"]
    assert [row.get("paper") for row in numbers] == [w.paper for w in expected]
    printed = capsys.readouterr().out
    assert all(f"{model}: " in printed for model in models) and table.note in printed


def test_a_checkpoint_of_other_findings_is_not_taken_for_the_tables(shipped, tmp_path):
    tiny(shipped / "attri-net-phantom-unguided", ("Edema", "Effusion"))
    with pytest.raises(UsageError, match="it knows Edema, Effusion"):
        reproduce("attri-net-phantom", train=False, runs=tmp_path)


def test_what_is_missing_is_trained_once(shipped, tmp_path, monkeypatch, capsys):
    table = Table(
        method="attri_net",
        data="phantom",
        options=("count=60",),
        models={UNGUIDED: Training("attri-net-small")},
        rows=(Wanted(UNGUIDED, "auc", MEAN_AUC, 0.779),),
        note="",
        changes=SMALL | ONE_STEP,
    )
    monkeypatch.setitem(TABLES, "small", table)
    reproduce("small", runs=tmp_path / "runs", precision="32-true")
    card = (shipped / "attri-net-small" / "card.md").read_text()
    assert (
        "python -m engine train attri_net --data phantom --name attri-net-small --preset demo --option count=60" in card
    )
    first = capsys.readouterr().out.splitlines()[1:]  # after the line of the training's one validation
    monkeypatch.setattr(command, "training_job", lambda *_: pytest.fail("trained again"))
    reproduce("small", runs=tmp_path / "runs")
    assert capsys.readouterr().out.splitlines() == first


def test_the_baseline_sees_the_films_that_attri_net_sees(shipped, tmp_path, monkeypatch):
    from engine.classifiers import resnet50

    seen = []
    monkeypatch.setattr(
        resnet50, "scores_on_test", lambda collection, preset, folder, *_: seen.append((preset, folder.name))
    )
    nih = replace(TABLES["attri-net-phantom"], changes=TABLES["attri-net-nih"].changes)
    for preset in ("demo", "paper"):
        nih.baselines.measured(nih, preset, None, Machine("cpu"), tmp_path, True)
        ours = with_changes(PRESETS[preset], nih.changes)
        assert seen[-1][0].size == ours.architecture.size and seen[-1][0].augmentation == ours.augmentation
    assert seen[0][1] != seen[1][1]


def test_what_is_measured_elsewhere_is_never_learned_from(shipped, tmp_path, monkeypatch):
    """Real series are measured on; the model that is missing is trained on drawn chests."""
    table, root, learned = TABLES["acat-lung-real"], tmp_path / "real", []
    write_sample(root)
    monkeypatch.setattr(method("acat"), "train", lambda job: learned.append(job.collection.name))
    with pytest.raises(RefusedCheckpoint):  # nothing was saved, so there is nothing to open
        reproduce("acat-lung-real", root=root, runs=tmp_path / "runs")
    assert learned == [table.data] == ["lung_phantom"] and table.measured_on == "covid_ct_md"
    with pytest.raises(UnusableCollection, match="covid_ct_md is read from a folder"):
        reproduce("acat-lung", train=False, runs=tmp_path / "runs")


def test_presets_do_not_share_a_checkpoint():
    table = TABLES["attri-net-phantom"]
    assert table.checkpoint(GUIDED, "demo") == "attri-net-phantom"
    assert table.checkpoint(GUIDED, "paper") == "attri-net-phantom-paper"


def test_the_card_names_the_command_that_would_train_the_same(tmp_path):
    table = replace(TABLES["attri-net-tag"], options=("count=60", "marker=CXR-ROOM1"))
    collection = opened("phantom", None, (), table.options)
    job = training_job(table, GUIDED, "demo", collection, Machine("cpu"), tmp_path)
    assert job.name == "attri-net-phantom-tag-guided" and not job.resume
    assert job.command == (
        "python -m engine train attri_net --data phantom --name attri-net-phantom-tag-guided --preset demo --option "
        "count=60 --option marker=CXR-ROOM1 --set lambda_cl=20 --set classifier_rate=1e-2 --set keep_last=1 --set "
        "validate_every=100 --set steps=300 --start-from attri-net-phantom-unguided --guidance elsewhere --seed 42 "
        "--precision 32-true"
    )
    whole = training_job(table, GUIDED, "paper", collection, Machine("cpu"), tmp_path)
    assert whole.start_from is None and not whole.changes  # what the demo needs, the paper's own schedule does not
    assert job.guidance.mask(0, "Edema", 96).min() == 0  # away from the marker


def test_a_ratio_is_beside_the_papers_and_its_interval_holds_it():
    table = Table("attri_net", "phantom", {}, (Ratio("disease_sensitivity", MEAN, GUIDED, UNGUIDED, 2.07),), "")
    rows, missing = assembled(table, {GUIDED: [measure(value=0.4)], UNGUIDED: [measure(value=0.2)]}, {})
    assert not missing and rows[0].metric == "effect" and rows[0].paper == 2.07
    assert rows[0].value == pytest.approx(2) and rows[0].low < 2 < rows[0].high and rows[0].chance == 1


def test_the_interval_of_a_ratio_covers_it():
    draw, held, times = np.random.default_rng(0), 0, 400
    for _ in range(times):
        samples = [draw.normal(mean, 0.1, 50) for mean in (0.4, 0.2)]
        parts = [measure(value=s.mean(), half_width=1.96 * s.std(ddof=1) / np.sqrt(50)) for s in samples]
        row = ratio(*parts, "ratio")
        held += row.low <= 2 <= row.high
    assert 0.92 <= held / times <= 0.98


def test_on_the_same_pictures_a_ratio_is_told_picture_by_picture():
    draw, held, widths, times = np.random.default_rng(0), 0, [], 60
    for _ in range(times):
        hard = draw.uniform(0.1, 1, 60)  # what is hard for one is hard for the other
        values = [hard * 0.8 + draw.normal(0, 0.05, 60), hard * 0.4 + draw.normal(0, 0.05, 60)]
        parts = [measure(value=v.mean(), half_width=1.96 * v.std(ddof=1) / np.sqrt(60)) for v in values]
        paired = ratio(*(replace(m, sample=Sample(v, None)) for m, v in zip(parts, values)), "ratio")
        apart = ratio(*parts, "ratio")
        held += paired.low <= 2 <= paired.high
        widths.append((paired.high - paired.low) / (apart.high - apart.low))
    assert held / times >= 0.85 and np.median(widths) < 0.7


def test_other_pictures_are_not_paired():
    one, two = Sample(np.ones(3), np.array(["a", "b", "c"])), Sample(np.ones(3), np.array(["a", "c", "b"]))
    assert one.pairs_with(one) and not one.pairs_with(two)
    assert not one.pairs_with(Sample(np.ones(3), None)) and not one.pairs_with(Sample(np.ones(2), np.array(["a", "b"])))


def test_nothing_is_divided_by_zero():
    table = Table("attri_net", "phantom", {}, (Ratio("disease_sensitivity", MEAN, GUIDED, UNGUIDED),), "")
    rows, missing = assembled(table, {GUIDED: [measure()], UNGUIDED: [measure(value=0.0, half_width=0.0)]}, {})
    assert not rows and "not above 0" in missing[0]["remark"]


def test_a_measure_that_the_pictures_cannot_give_is_said():
    table = Table("attri_net", "phantom", {}, (Wanted(GUIDED, "auc", MEAN_AUC, 0.774),), "")
    rows, missing = assembled(table, {GUIDED: []}, {})
    assert not rows and missing[0]["paper"] == 0.774 and "could not be measured" in missing[0]["remark"]


def test_early_patients_are_those_up_to_the_limit():
    class Films:
        findings = ("Edema",)
        labels = np.array([[0], [1], [0], [1], [0], [1]], np.float32)
        patients = np.array(["10", "20", "3970", "3969", "3971", "9000"])

    scores = np.array([[0.1], [0.9], [0.2], [0.8], [1.0], [0.0]], np.float32)
    (row,) = early_auc(Films, np.arange(6), scores)
    assert row.value == 1 and row.n == 4
    assert early_auc(Films, np.array([0, 2]), scores[[0, 2]]) == []


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the NIH selection is not in {REAL.parent}")
def test_real_films_give_the_rows_that_only_they_have(tmp_path):
    table = TABLES["attri-net-nih"]
    collection = opened("chestxray8", REAL, table.findings, ())
    test = collection.split("test")
    rows = {
        row.subject: row
        for row in early_and_pseudo(open_model(tiny(tmp_path / "tiny", table.findings), "cpu"), collection, test)
    }
    assert rows[EARLY.subject].n == sum(int(patient) <= 3970 for patient in collection.patients[test])
    unboxed = collection.findings.index("Edema")
    assert rows[IN_PSEUDO_MASK.subject].n == collection.labels[test].sum() - collection.labels[test, unboxed].sum()
    assert 0.1 < rows[IN_PSEUDO_MASK.subject].chance < 0.9
