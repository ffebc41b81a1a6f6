"""What is shipped does on real files what the pages promise of it."""

import io
import shlex
from itertools import pairwise

import numpy as np
import pydicom.data
import pytest
from PIL import Image

from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.checkpoints.sections import read_card
from engine.datasets import registered_collection
from engine.registry import UnsuitableScan, open_model
from engine.scan import read_scan
from pages.components import open_scans, words
from tests.places import ROOT


def packaged(name):
    found = pydicom.data.get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} comes with pydicom-data, which is not installed")
    with open(found, "rb") as file:
        return file.read()


@pytest.fixture(scope="module")
def nih():
    return open_model("attri-net-nih", "cpu")


def test_the_sample_radiograph_is_like_the_training_films(nih):
    explained = nih.explain(read_scan(packaged("RG1_UNCR.dcm")), ["Pneumonia"])[0]
    assert explained.like_training


def test_an_ultrasound_frame_is_refused_by_its_kind_and_marked_where_the_file_does_not_say(nih):
    data = packaged("US1_UNCR.dcm")
    with pytest.raises(UnsuitableScan, match="ultrasound"):
        nih.explain(read_scan(data), ["Pneumonia"])
    pixels = read_scan(data).pixels
    frame = pixels[0] if pixels.ndim == 3 else pixels
    png = io.BytesIO()
    Image.fromarray((255 * (frame - frame.min()) / np.ptp(frame)).astype(np.uint8)).save(png, "PNG")
    assert not nih.explain(read_scan(png.getvalue()), ["Pneumonia"])[0].like_training


@pytest.mark.parametrize("name", shipped())
def test_a_checkpoint_remembers_the_options_that_its_card_names(name):
    checkpoint = open_checkpoint(name)
    words = shlex.split(read_card(checkpoint.card)["Command"].strip("`\n"))
    typed = dict(word.split("=", 1) for flag, word in pairwise(words) if flag == "--option")
    known = registered_collection(checkpoint.config["data"]["collection"])
    assert known.trained_options(checkpoint.config) == known.values_of(typed)


def test_what_was_seen_of_a_checkpoints_maps_stands_on_its_card_and_above_its_results():
    page = (ROOT / "docs" / "by_eye.md").read_text(encoding="utf-8")
    seen = [name for name in shipped() if f"**{name}**" in page]
    assert len(seen) >= 13
    for checkpoint in map(open_checkpoint, seen):
        assert checkpoint.caution and checkpoint.caution in checkpoint.card, checkpoint.name


def test_a_caution_fits_one_line_of_a_page_that_is_1440_pixels_wide():
    assert {c.name: len(c.caution) for c in map(open_checkpoint, shipped()) if len(c.caution) > 165} == {}


def test_the_first_picture_is_explained_as_it_was_drawn():
    name, patient = open_scans.EXPLAINED_WELL
    opened = open_scans.phantom_patient(patient)
    records = open_model(name, "cpu").explain(opened.scan)
    assert {record.finding for record in records if record.positive} == set(opened.truth)
    first = max(records, key=lambda r: words.log_odds(r.probability) - words.log_odds(r.threshold))
    change = first.path.changes[int(np.argmin(np.abs(first.path.steps - 1)))]
    assert first.like_training and first.path.flip(first.threshold) is not None
    assert words.recovered(change, open_scans.true_change(opened, first.finding)) > 0.5
