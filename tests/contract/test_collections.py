"""Every registered collection, and every choice made of one, answers all that the rest of the engine asks
of a collection.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.datasets import SPLITS, collections, open_collection
from engine.datasets.boxes import Box
from engine.datasets.collection import Collection
from engine.datasets.crop import CROPS
from engine.datasets.identity import data_settings
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.two_class import TwoClass
from tests.datasets.lidc_small import write_chests, write_implants
from tests.datasets.test_brain_mri import write_folder as write_slices
from tests.datasets.test_brats import write_patient
from tests.datasets.test_busi import write_folder as write_frames
from tests.datasets.test_cbis_ddsm import write_folder as write_masses
from tests.datasets.test_chestxray8 import write_folder as write_nih
from tests.datasets.test_chexpert import write_folder as write_chexpert
from tests.datasets.test_chexpert import write_segmentations
from tests.datasets.test_covid_ct_md import write_sample as write_slices_of_ct
from tests.datasets.test_implants import chest
from tests.datasets.test_ist3 import write_folder as write_heads
from tests.datasets.test_lidc import write_lidc
from tests.datasets.test_mimic_cxr import write_folder as write_mimic
from tests.datasets.test_mosmed import write_folder as write_studies
from tests.datasets.test_stroke_phantom import write_atlas
from tests.datasets.test_tuberculosis import write_folder as write_tuberculosis
from tests.datasets.test_vindr import write_folder as write_vindr

SIDE = 32


def volumes(root: Path) -> None:
    for number in range(10):
        write_patient(root / "HGG", f"Brats17_{number}", seed=number)


def chexpert(root: Path) -> None:
    write_chexpert(root)
    write_segmentations(root)


# A miniature of each collection's public layout, and the options that keep it small.
SAMPLES: dict[str, tuple[Callable[[Path], object] | None, dict]] = {
    "phantom": (None, {"count": 40, "size": SIDE, "marker": "R", "marker_share": 50}),
    "vagan_synthetic": (None, {"count": 50}),
    "stroke_phantom": (write_atlas, {"count": 20, "size": SIDE, "slices": 3}),
    "chestxray8": (lambda root: write_nih(root, boxes=[("00000001_000.png", "Effusion", 0, 0, 99, 99)]), {}),
    "chexpert": (chexpert, {}),
    "mimic_cxr": (write_mimic, {}),
    "vindr": (write_vindr, {}),
    "busi": (write_frames, {}),
    "brain_mri": (write_slices, {}),
    "brats": (volumes, {}),
    "lung_phantom": (write_chests, {"count": 40, "size": SIDE, "slices": 3}),
    "mosmed": (write_studies, {"slices": 3}),
    "ist3": (write_heads, {"slices": 3}),
    "covid_ct_md": (write_slices_of_ct, {}),
    "tuberculosis": (write_tuberculosis, {}),
    "implants": (lambda root: write_nih(root, patients=20, grey=chest()), {"copies": 1}),
    "cbis_ddsm": (write_masses, {}),
    "lidc": (write_lidc, {}),
    "lidc_implants": (write_implants, {"copies": 1}),
}


@pytest.fixture(scope="module", params=list(collections()))
def opened(request, tmp_path_factory) -> Iterator[Collection]:
    if request.param not in SAMPLES:
        pytest.fail(f"{request.param} has no miniature in {Path(__file__).name}: add one to SAMPLES")
    write, options = SAMPLES[request.param]
    root = tmp_path_factory.mktemp(request.param)
    if write:
        write(root)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTHERWISE_CACHE", str(root / "cache"))
        collection = open_collection(request.param, root if write else None, **options)
        assert collection.options == options
        yield collection


@pytest.fixture(scope="module", params=["as it is", "one finding", "two classes"])
def collection(request, opened) -> Collection:
    if request.param == "as it is":
        return opened
    if request.param == "one finding":
        return SelectedFindings(opened, opened.findings[:1])
    if len(opened.findings) < 2:
        pytest.skip(f"{opened.name} has one finding")
    return TwoClass(opened, *opened.findings[:2])


def sized(collection):
    """The shape of what is asked for at SIDE: (SIDE, SIDE), or of a volume (S, SIDE, SIDE)."""
    return (*collection.image(0).shape[:-2], SIDE, SIDE)


def test_names_labels_and_patients_have_their_shapes(collection, opened):
    n = len(collection)
    assert collection.name == opened.name and collection.kind == opened.kind and collection.whole is opened
    assert collection.labels.shape == (n, len(collection.findings)) and collection.labels.dtype == np.float32
    assert {*np.unique(collection.labels[~np.isnan(collection.labels)])} <= {0.0, 1.0}
    assert collection.patients.shape == (n,) and collection.patients.dtype.kind == "U"
    for values in collection.attributes.values():
        assert values.shape == (n,) and values.dtype.kind == "U"
    assert collection.description.strip()


def test_what_is_a_choice_is_said_in_words_that_are_known(collection, opened):
    assert collection.options == opened.options
    assert collection.crop in CROPS and collection.guidance_part in SPLITS[:2]
    assert (collection.contrast_class is None) == (not isinstance(collection, TwoClass)) and isinstance(
        collection.grouping, str
    )
    assert collection.grey_range is None or collection.grey_range[0] < collection.grey_range[1]
    assert all(isinstance(finding, str) for finding in collection.family)
    for name in (
        "crop",
        "grouping",
        "grey_range",
        "guidance_part",
        "family",
        "markers",
        "has_counterfactuals",
        "dimensions",
    ):
        assert getattr(collection, name) == getattr(opened, name), f"{name} is that of what was chosen from"


def test_what_a_resumed_training_compares_can_be_written(collection):
    if collection.split("train").size:
        settings = data_settings(collection)
        assert json.loads(json.dumps(settings)).keys() == settings.keys()


def test_what_experts_say_of_a_picture_is_known_of_all(collection, opened):
    n, p = len(collection), len(collection.concepts)
    assert tuple(collection.concepts) == tuple(opened.concepts)
    assert not p or collection.concept_labels.shape == (n, p)
    assert {*np.unique(collection.concept_labels)} <= {0.0, 1.0}


def test_no_patient_is_in_two_parts(collection):
    parts = {name: set(collection.patients[collection.split(name)]) for name in SPLITS[:3]}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values()))
    assert set().union(*(collection.split(name).tolist() for name in SPLITS[:3])) <= set(
        collection.split("all").tolist()
    )
    with pytest.raises(ValueError, match="split must be one of"):
        collection.split("dev")


def test_pictures_come_in_the_size_that_was_asked_for(collection):
    picture = collection.image(0, SIDE)
    assert picture.shape == sized(collection) and picture.dtype == np.float32 and np.isfinite(picture).all()
    assert collection.image(0).ndim == collection.dimensions


def test_annotations_are_masks_of_the_size_that_was_asked_for(collection):
    for finding in collection.findings:
        annotated = collection.annotated(finding)
        assert annotated.ndim == 1 and annotated.dtype.kind == "i" and set(annotated) <= set(range(len(collection)))
        for index in map(int, annotated[:2]):
            mask, regions = collection.mask(index, finding, SIDE), collection.regions(index, finding, SIDE)
            assert mask.shape == sized(collection) and mask.dtype == bool
            assert regions and (np.any(regions, axis=0) == mask).all()
        without = next((i for i in range(len(collection)) if i not in annotated), None)
        if without is not None and collection.mask(without, finding, SIDE) is None:
            assert collection.regions(without, finding, SIDE) == []


def test_what_is_not_known_of_a_picture_is_none_and_else_a_mask(collection):
    for mask in (collection.body(0, SIDE), collection.marks(0, SIDE)):
        assert mask is None or (mask.shape == (SIDE, SIDE) and mask.dtype == bool)
    everywhere = collection.marker_mask(None, SIDE)
    assert (
        everywhere.shape == (SIDE, SIDE) and everywhere.dtype == bool and everywhere.any() == bool(collection.markers)
    )


def test_boxes_elsewhere_are_among_all_boxes(collection):
    boxes = collection.all_boxes()
    assert all(isinstance(box, Box) for box in boxes)
    assert {*collection.boxes_elsewhere()} <= {*boxes}


def test_a_counterfactual_is_a_picture_or_a_sentence(collection):
    finding = collection.findings[0]
    if not collection.has_counterfactuals:
        with pytest.raises(ValueError, match=f"{collection.name} knows no true counterfactuals"):
            collection.counterfactual(0, SIDE, without=(finding,))
        return
    index = int(np.flatnonzero(collection.labels[:, 0] == 1)[0])
    same, other = collection.counterfactual(index, SIDE), collection.counterfactual(index, SIDE, without=(finding,))
    assert np.array_equal(same, collection.image(index, SIDE))
    assert other.shape == sized(collection) and other.dtype == np.float32 and not np.array_equal(same, other)


def test_a_marker_is_burned_in_or_there_is_none(collection):
    if not collection.markers:
        with pytest.raises(ValueError, match="no markers"):
            collection.with_markers(0, SIDE, True)
        return
    changed = collection.with_markers(0, SIDE, True) != collection.with_markers(0, SIDE, False)
    assert changed.any() and collection.marker_mask(None, SIDE)[changed].any()
