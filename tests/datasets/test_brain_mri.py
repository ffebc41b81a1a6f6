"""Brain MR in its public layout: four classes in two halves, one view of the head; miniature folders and
the real selection.
"""

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.datasets import SPLITS, UnusableCollection, open_collection
from engine.datasets.brain_mri import CLASSES, BrainMRI
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "brain_mri"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real slices are not at {REAL}")


def write_folder(root, each=6):
    """`each` slices a class and half: an ellipse of its own texture on black; tumour slices are square, the
    others are not.
    """
    random = np.random.default_rng(0)
    for half in ("Training", "Testing"):
        for name in CLASSES:
            (root / half / name).mkdir(parents=True)
            for i in range(1, each + 1):
                height, width = (180, 140) if name == "no_tumor" else (160, 160)
                texture = cv2.resize(random.integers(60, 255, (7, 7)).astype(np.uint8), (width, height))
                mask = cv2.ellipse(
                    np.zeros((height, width), np.uint8), (width // 2, height // 2), (50, 62), 0, 0, 360, 1, -1
                )
                cv2.imwrite(str(root / half / name / f"image({i}).jpg"), texture * mask)
    return root


def test_both_halves_are_read_and_any_tumour_is_the_finding(tmp_path):
    collection = open_collection("brain_mri", write_folder(tmp_path))
    assert len(collection) == 48 and collection.kind == "MR" and collection.findings == ("Tumour",)
    assert (collection.labels[:, 0] == (collection.attributes["class"] != "no_tumor")).all()
    assert sum(file.startswith("Testing/") for file in collection.files) == 24
    kinds = BrainMRI(tmp_path, findings=("Pituitary tumour", "Glioma"))
    assert kinds.labels.sum(axis=0).tolist() == [12, 12]


def test_one_half_alone_and_chosen_classes_are_enough(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "Training").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    collection = BrainMRI(tmp_path, classes=("glioma_tumor", "no_tumor"))
    assert len(collection) == 12 and set(collection.attributes["class"]) == {"glioma_tumor", "no_tumor"}


def test_head_and_picture_lie_in_one_grid_whatever_the_format(tmp_path):
    collection = BrainMRI(write_folder(tmp_path, each=2))
    for index in range(0, len(collection), 3):
        view, head = collection.image(index), collection.body(index)
        assert view.shape == head.shape and view.shape[0] == view.shape[1]
        assert collection.body(index, 64).mean() == pytest.approx(np.pi / 4 * (50 / 62) / 1.08**2, abs=0.04)
        assert view[~head].mean() < 0.1 < 0.4 < view[head].mean() < 0.6
    assert collection.mask(0, "Tumour", 64) is None


def test_slices_of_another_contrast_look_alike_and_span_the_network_s_range(tmp_path):
    collection = BrainMRI(write_folder(tmp_path, each=2))
    path = tmp_path / collection.files[0]
    before = collection.image(0, 64)
    cv2.imwrite(str(path), np.rint(255 * (collection.scan_pixels(0) / 255) ** 0.6).astype(np.uint8))
    after = BrainMRI(tmp_path).image(0, 64)
    assert np.abs(after - before).mean() < 0.02
    assert collection.grey_range == (0, 1) and after.min() == 0 and 0.95 < after.max() <= 1
    assert BrainMRI(tmp_path, crop="head").grey_range is None


def test_without_a_crop_the_picture_is_the_file(tmp_path):
    collection = BrainMRI(write_folder(tmp_path, each=1), crop="whole")
    index = int(np.flatnonzero(collection.labels[:, 0] == 0)[0])
    assert collection.image(index).shape == (180, 140)
    assert (collection.image(index) == collection.scan_pixels(index)).all()


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UnusableCollection, match="neither Training/ nor Testing/"):
        BrainMRI(tmp_path)
    with pytest.raises(ValueError, match="brain_mri does not label Stroke"):
        BrainMRI(write_folder(tmp_path, each=1), findings=("Stroke",))


def format_of(picture):
    """Height, width, their ratio, and mean grey and darkest share of a rim of 3 %: what says nothing of the patient."""
    height, width = picture.shape
    low, high = np.percentile(picture, (1, 99))
    grey = (picture - low) / (high - low)
    rim = max(1, round(0.03 * min(height, width)))
    edges = (grey[:rim], grey[-rim:], grey[:, :rim], grey[:, -rim:])
    return [
        height,
        width,
        height / width,
        *(edge.mean() for edge in edges),
        np.mean([(edge < 0.02).mean() for edge in edges]),
    ]


def separated(pictures, labels, groups):
    """AUC of a logistic regression on the format, over folds of whole groups."""
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    features = np.array([format_of(picture) for picture in pictures])
    scores = cross_val_predict(model, features, labels, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    return roc_auc_score(labels, scores)


@needs_real
def test_the_crop_takes_most_of_what_the_format_gives_away_in_the_real_selection():
    collection = BrainMRI(REAL)
    chosen = np.concatenate(
        [np.flatnonzero(collection.labels[:, 0] == 0)[::2], np.flatnonzero(collection.labels[:, 0])[::12]]
    )
    labels, groups = collection.labels[chosen, 0], collection.patients[chosen]
    before = separated((collection.scan_pixels(i) for i in chosen), labels, groups)
    after = separated((collection.image(i, 128) for i in chosen), labels, groups)
    assert before > 0.85 and after < 0.70


@needs_real
def test_the_real_selection_has_the_counts_its_provenance_says_and_its_own_groups():
    collection = BrainMRI(REAL)
    assert len(collection) == 2447 and collection.grouping.endswith("in groups.csv.")
    owners = [set(collection.patients[collection.split(name)]) for name in SPLITS[:3]]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 1944
    for name in SPLITS[:3]:
        assert len(set(collection.attributes["class"][collection.split(name)])) == 4


@needs_real
def test_a_real_head_fills_the_view_and_nothing_else_does():
    collection = BrainMRI(REAL)
    for index in range(0, len(collection), 150):
        view, head = collection.image(index, 128), collection.body(index, 128)
        assert 0.35 < head.mean() < 0.82
        corner = view[:12, :12]
        assert np.ptp(corner) < 2  # JPEG noise beside the head is gone
