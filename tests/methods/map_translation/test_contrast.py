"""A finding learned against another class, through the command line: the same two classes are measured, and no word
says normal.
"""

import json
import re

import numpy as np
import pytest

from engine.checkpoints.format import save_checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.datasets.busi import BUSI
from engine.datasets.phantom.collection import Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.two_class import TwoClass
from engine.methods.map_translation.evaluate import Predictions, evaluate, measures
from engine.metrics.recovery import recovery
from engine.registry import method, open_model
from engine.scan import Scan
from pages.components import words
from tests.datasets.test_busi import write_folder
from tests.methods.map_translation.test_produce import SMALL
from viewer import explain_parts

NAMES = ("cx_gan", "va_gan")
CLASSES = ["--finding", "Malignant", "--contrast-class", "Benign"]


def training(name, data, folder, *more):
    settings = [word for key, value in SMALL[name].items() for word in ("--set", f"{key}={value}")]
    places = ["--runs", folder / "runs", "--out", folder / "out", "--name", "small", "--device", "cpu"]
    return ["train", name, "--data", "busi", "--root", data, *settings, *places, *more]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("busi"), each=20)


@pytest.fixture(params=NAMES)
def trained(request, frames, tmp_path, engine):
    """(method, checkpoint, standard output) of a small training of malignant against benign."""
    code, out, err = engine(*training(request.param, frames, tmp_path, *CLASSES))
    assert code == 0, err
    return request.param, open_checkpoint(tmp_path / "out" / "small"), out


@pytest.fixture
def opened(tmp_path):
    """config changes -> the tiny CX-GAN with them."""
    tiny = method("cx_gan").tiny(tmp_path / "tiny")

    def make(**changes):
        config = {**tiny.config, **changes}
        saved = save_checkpoint(
            tmp_path / "changed", method="cx_gan", config=config, weights=tiny.weights(), card=tiny.card
        )
        return open_model(saved, "cpu")

    return make


def says_normal(text):
    return re.search(r"normal", text, re.IGNORECASE)


def test_what_was_learned_against_another_class_is_measured_and_shown_against_it(trained, frames, tmp_path, engine):
    name, checkpoint, out = trained
    assert checkpoint.config["contrast_class"] == "Benign" and checkpoint.config["findings"] == ["Malignant"]
    assert not says_normal(checkpoint.card) and not says_normal(out)
    for said in (
        "with benign instead of malignant",
        "| composition | benign pictures |",
        "with Benign and without it: 20",
    ):
        assert said in checkpoint.card
    code, out, err = engine(
        "evaluate",
        name,
        "--checkpoint",
        checkpoint.folder,
        "--data",
        "busi",
        "--root",
        frames,
        "--split",
        "all",
        "--device",
        "cpu",
        "--json",
        tmp_path / "rows.json",
    )
    assert code == 0 and not says_normal(out), err
    n = {(row["metric"], row["subject"]): row["n"] for row in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    assert (
        n["auc", "Malignant"] == 40 and n["specificity", "Malignant"] == n["composition", "benign pictures"] == 20
    )  # of 60 frames
    (record,) = open_model(checkpoint, "cpu").explain(Scan.of(BUSI(frames).scan_pixels(0), kind="ultrasound"))
    assert (
        record.attribution_unit == "of the grey range, towards benign" and record.record()["contrast_class"] == "Benign"
    )


def test_a_run_is_not_resumed_against_another_class(trained, frames, tmp_path, engine):
    name, *_ = trained
    for other in (["--finding", "Malignant"], ["--finding", "Malignant", "--contrast-class", "Lesion"]):
        code, _, err = engine(*training(name, frames, tmp_path, *other, "--resume"))
        assert code == 1 and "started with another findings" in err


@pytest.mark.parametrize(
    ("name", "classes", "said"),
    [
        ("attri_net", CLASSES, "leave --contrast-class out, or train one of cx_gan, va_gan."),
        ("cit_lr", CLASSES, "leave --contrast-class out, or train one of cx_gan, va_gan."),
        ("cx_gan", ["--contrast-class", "Benign"], "name that finding, and no other, with --finding."),
        ("cx_gan", [*CLASSES, "--finding", "Lesion"], "name that finding, and no other, with --finding."),
        (
            "cx_gan",
            ["--finding", "Malignant", "--contrast-class", "Cyst"],
            "busi does not label Cyst; it labels Lesion, Benign, Malignant.",
        ),
        ("va_gan", ["--finding", "Benign", "--contrast-class", "Benign"], "name another finding of busi."),
        ("va_gan", ["--finding", "Lesion", "--contrast-class", "Benign"], "with Benign alone; the train split has"),
        ("cx_gan", [*CLASSES, "--option", "classes=malignant,normal"], "choose other classes with --contrast-class."),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused_in_one_sentence(name, classes, said, frames, tmp_path, engine):
    run = training(name if name in SMALL else "cx_gan", frames, tmp_path, *classes)
    code, _, err = engine("train", name, *run[2:])
    assert code == 1 and len(err.strip().splitlines()) == 1 and said in err, err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_is_not_measured_on_other_classes_than_its_own(opened, frames):
    whole = BUSI(frames, findings=("Malignant", "Benign"))
    ill = {"findings": ["Malignant"], "thresholds": {"Malignant": 0.5}, "scales": {"Malignant": 0.2}}
    with pytest.raises(ValueError, match="tells malignant from benign; measure it on these two classes"):
        evaluate(opened(**ill, contrast_class="Benign"), SelectedFindings(whole, ("Malignant",)), whole.split("test"))
    with pytest.raises(ValueError, match="tells malignant from normal"):
        evaluate(opened(**ill), TwoClass(whole, "Malignant", "Benign"), whole.split("test"))


@pytest.mark.parametrize("config", [{}, {"contrast_class": None}], ids=["before there was a choice", "null"])
def test_a_checkpoint_that_names_no_other_class_speaks_of_normal(opened, config):
    model = opened(**config)
    (record,) = model.explain(Scan.of(np.random.default_rng(0).uniform(0, 255, (40, 40)), kind="unknown"))
    assert record.attribution_unit == "of the grey range, towards normal" and record.contrast_class is None
    assert model.other == "normal" and words.counterfactual_title(record.finding, record.contrast_class) == ""


def test_the_page_names_the_other_class_on_the_counterfactual_and_in_the_sentence(opened):
    model = opened(contrast_class="Cyst")
    scan = Scan.of(np.random.default_rng(0).uniform(0, 255, (40, 40)), kind="ultrasound")
    (record,) = model.explain(scan)
    view = words.finding_view(record, scan, [])
    _, header = explain_parts(scan.pixels, scan.window, [view], title="Scan", key="k")
    (sent,) = header["findings"]
    assert sent["counterfactual"] == "With cyst instead of lesion" and sent["unit"].endswith("towards cyst")
    assert sent["sentence"].endswith("It has seen lesion and cyst frames only.") and not says_normal(json.dumps(sent))


def test_the_true_counterfactual_has_the_other_finding_in_the_place_of_the_own(opened):
    """A map that draws the other finding is the truth; one that only takes the own finding away is not."""
    films = TwoClass(Phantom(40, size=64, seed=3), "Effusion", "Edema")
    model = opened(
        findings=["Effusion"],
        thresholds={"Effusion": 0.5},
        scales={"Effusion": 0.2},
        contrast_class=films.contrast_class,
    )
    prep, side = model.preprocessing, model.preprocessing.size
    ill = np.flatnonzero(films.labels[:, 0] == 1)[:6]

    def prepared(index, **change):
        low, high = prep.ends(prep.resized(films.image(index, side)))
        picture = films.counterfactual(index, side, **change) if change else films.image(index, side)
        return np.clip(
            (prep.resized(picture) - low) * (2 * prep.value_range / (high - low)) - prep.value_range,
            -prep.value_range,
            prep.value_range,
        )

    before = np.stack([prepared(int(i)) for i in ill])
    told = {}
    for name, change in (
        ("exchanged", {"without": ("Effusion",), "with_": (films.contrast_class,)}),
        ("taken away", {"without": ("Effusion",)}),
    ):
        maps = np.stack([prepared(int(i), **change) for i in ill]) - before
        flat = np.full(len(ill), 0.5, np.float32)
        rows, _ = measures(model, films, ill, Predictions(flat, flat, flat, maps.astype(np.float32), before))
        told[name] = next(row.value for row in rows if row.metric == recovery.__name__)
    assert told["exchanged"] > 0.99 > told["taken away"]
