"""What engine explain writes of a volume that is explained in a hierarchy."""

import io
import json
from types import SimpleNamespace

import cv2
import numpy as np

from engine.checkpoints.changes import with_caution
from engine.commands.explain import explain, say, write_explanations
from engine.explanation import Explanation
from engine.metrics.measure import Measure
from engine.regions import Region
from engine.scan import Scan
from tests.tiny_checkpoints import tiny

PIXELS = np.random.default_rng(0).uniform(-1000, 400, (5, 24, 30)).astype(np.float32)


def test_a_volume_is_written_with_its_regions_and_the_slice_with_most_evidence(tmp_path):
    affine = np.diag([2.0, 0.5, 0.5, 1])[[2, 1, 0, 3]]
    scan = Scan.of(PIXELS, "CT", spacing_mm=(2, 0.5, 0.5), affine=affine)
    attribution = np.zeros(scan.pixels.shape, np.float32)
    attribution[3, 5:9, 6:12] = 1
    mask = attribution > 0
    record = Explanation(
        scan_sha256=scan.sha256,
        checkpoint_sha256="a" * 64,
        checkpoint_identity="b" * 64,
        finding="Nodule",
        probability=0.75,
        threshold=0.5,
        attribution=attribution,
        attribution_unit="share",
        attribution_limit=1.0,
        evidence=attribution[:, ::2, ::2],
        counterfactual=None,
        path=None,
        in_distribution=None,
        seconds=0.5,
        regions=Region("Chest", "image", 0.75, None, (Region("Solid", "attribute", 2.0, mask),)),
    )
    checkpoint = SimpleNamespace(
        name="m", method="m", sha256="a" * 64, identity="b" * 64, source="", config={"findings": ["Nodule"]}
    )
    write_explanations(tmp_path / "out", scan, checkpoint, [record])
    text = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert text["scan"]["spacing_mm"] == [2, 0.5, 0.5] and text["scan"]["affine"] == affine.tolist()
    (written,) = text["explanations"]
    assert written["slice_drawn"] == 3 and written["regions"]["parts"][0]["mask"] == 0
    maps = np.load(io.BytesIO((tmp_path / "out" / "nodule.npz").read_bytes()))
    assert np.array_equal(maps["attribution"], attribution) and np.array_equal(maps["regions"], mask[None])
    picture = cv2.imread(str(tmp_path / "out" / "nodule_evidence.png"))
    assert picture.shape == (24, 30, 3) and (np.ptp(picture.astype(int), axis=2) > 0).sum() == mask[3].sum()


def test_a_checkpoints_caution_stands_above_what_it_says(tmp_path, capsys):
    checkpoint = with_caution(tiny(tmp_path / "tiny"), "It heals the scanner.")
    cv2.imwrite(str(tmp_path / "film.png"), np.random.default_rng(1).integers(0, 256, (90, 80)).astype(np.uint8))
    explain(tmp_path / "film.png", str(checkpoint.folder), tmp_path / "out", device="cpu")
    said = capsys.readouterr().out
    assert said.index("Caution: It heals the scanner.") < said.index("probability")


def rows_of(said):
    return {line.split()[0]: line for line in said.splitlines() if line and line.split()[0] in ("Effusion", "Edema")}


def test_a_finding_about_which_no_answer_means_anything_is_withheld_as_in_the_app(capsys):
    checkpoint = SimpleNamespace(
        name="m",
        method="attri_net",
        caution="",
        metrics=SimpleNamespace(
            rows=(
                Measure("auc", "Effusion", 0.9, 0.8, 0.95, 100, chance=0.5),
                Measure("auc", "Edema", 0.52, 0.4, 0.64, 100, chance=0.5),
            )
        ),
    )
    say(checkpoint, [record("Effusion", (0.2, 1.0)), record("Edema", (0.2, 1.0))])
    said = capsys.readouterr().out
    assert "0.750" in rows_of(said)["Effusion"]
    assert "Edema is withheld: the interval of its AUC" in said
    table = next(line for line in said.splitlines() if line.startswith("Edema  "))
    assert "withheld" in table and "0.750" not in table


def test_the_table_of_a_scan_unlike_the_training_pictures_is_held_back_until_it_is_asked_for(capsys):
    checkpoint = SimpleNamespace(name="m", method="attri_net", caution="", metrics=SimpleNamespace(rows=()))
    say(checkpoint, [record("Effusion", (1.5, 1.0))], anyway=False)
    said = capsys.readouterr().out
    assert "UNLIKE" in said and "held back (Effusion); --anyway" in said and "0.750" not in said
    say(checkpoint, [record("Effusion", (1.5, 1.0))], anyway=True)
    assert "0.750" in capsys.readouterr().out
    say(checkpoint, [record("Effusion", (0.5, 1.0))], anyway=False)
    assert "0.750" in capsys.readouterr().out


def record(finding, alike):
    flat = np.zeros((16, 16), np.float32)
    return Explanation(
        "a" * 64, "a" * 64, "b" * 64, finding, 0.75, 0.5, flat, "share", 1.0, flat, None, None, alike, 0.1
    )
