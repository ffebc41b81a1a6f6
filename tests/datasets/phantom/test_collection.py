"""The drawn chest keeps its promises: same noise, lawful interventions, hard to tell by pixels alone."""

import time

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from engine.datasets.phantom.collection import FINDINGS, Marker, Phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return Phantom(count=1500, marker=Marker())


def having(phantom: Phantom, finding: str, present: bool = True, n: int = 5) -> np.ndarray:
    return np.flatnonzero(phantom.labels[:, FINDINGS.index(finding)] == present)[:n]


def test_the_same_seed_draws_the_same_film_whatever_else_is_drawn():
    few, many = Phantom(count=5, seed=3), Phantom(count=50, seed=3)
    many.image(40)
    np.testing.assert_array_equal(few.image(4), many.image(4))
    np.testing.assert_array_equal(few.labels, many.labels[:5])
    assert np.abs(few.image(4) - Phantom(count=5, seed=4).image(4)).mean() > 5


def test_films_are_grey_levels():
    films = Phantom(count=12).pictures(range(12), 64)
    assert films.shape == (12, 64, 64) and films.dtype == np.float32
    assert films.min() >= 0 and films.max() <= 255 and films.std() > 30


@pytest.mark.parametrize("size", [64, 96, 224, 320])
def test_a_patient_looks_the_same_at_every_size(phantom, size):
    blocks = [phantom.image(7, s).reshape(32, s // 32, 32, s // 32).mean((1, 3)) for s in (size, 128)]
    assert np.abs(blocks[0] - blocks[1]).mean() < 2.5


def test_the_largest_film_can_be_drawn(phantom):
    assert phantom.image(3, 1024).shape == (1024, 1024)


@pytest.mark.parametrize("size", [16, 2000])
def test_a_size_out_of_range_is_refused(phantom, size):
    with pytest.raises(ValueError, match="size must lie between"):
        phantom.image(0, size)


@pytest.mark.parametrize("finding", FINDINGS)
def test_taking_away_an_absent_finding_changes_nothing(phantom, finding):
    for i in having(phantom, finding, present=False):
        np.testing.assert_array_equal(phantom.image(i), phantom.counterfactual(i, without=[finding]))
        assert phantom.mask(i, finding, 64) is None


@pytest.mark.parametrize("finding", FINDINGS)
def test_adding_a_present_finding_changes_nothing(phantom, finding):
    for i in having(phantom, finding):
        np.testing.assert_array_equal(phantom.image(i), phantom.counterfactual(i, with_=[finding]))


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_changes_the_film_where_it_lies(phantom, finding):
    shares = []
    for i in having(phantom, finding, n=15):
        change = np.abs(phantom.image(i) - phantom.counterfactual(i, without=[finding]))
        near = binary_dilation(phantom.lesion(i, finding, 128), iterations=4)
        assert change.max() > 4
        shares.append(change[near].sum() / change.sum())
    assert np.mean(shares) > 0.85


@pytest.mark.parametrize("finding", ["Consolidation", "Effusion"])
def test_far_from_a_lesion_even_the_noise_stays(phantom, finding):
    for i in having(phantom, finding):
        change = np.abs(phantom.image(i) - phantom.counterfactual(i, without=[finding]))
        assert change[:15].max() == 0 and (change == 0).mean() > 0.4


def test_interventions_commute_with_presence(phantom):
    both = np.flatnonzero(phantom.labels[:, 2] * phantom.labels[:, 4])[0]
    bare = phantom.counterfactual(both, without=FINDINGS)
    np.testing.assert_array_equal(bare, phantom.counterfactual(both, without=FINDINGS[::-1]))
    assert np.abs(bare - phantom.counterfactual(both, without=["Effusion"])).max() > 4


@pytest.mark.parametrize("finding", FINDINGS)
def test_findings_make_the_chest_denser(phantom, finding):
    for i in having(phantom, finding, n=8):
        change = phantom.image(i) - phantom.counterfactual(i, without=[finding])
        assert change[phantom.lesion(i, finding, 128)].mean() > 1


def test_an_enlarged_heart_has_a_larger_shadow(phantom):
    i = having(phantom, "Cardiomegaly")[0]
    change = phantom.image(i) - phantom.counterfactual(i, without=["Cardiomegaly"])
    assert change[phantom.lesion(i, "Cardiomegaly", 128)].sum() > 0.9 * np.abs(change).sum()


def test_sex_and_view_can_be_otherwise_without_touching_labels(phantom):
    i = int(np.flatnonzero(phantom.attributes["sex"] == "M")[0])
    view = phantom.attributes["view_position"][i]
    np.testing.assert_array_equal(phantom.image(i), phantom.counterfactual(i, sex="M", view_position=view))
    assert np.abs(phantom.image(i) - phantom.counterfactual(i, sex="F")).mean() > 0.5
    assert (
        np.abs(phantom.image(i) - phantom.counterfactual(i, view_position="PA" if view == "AP" else "AP")).mean() > 0.5
    )


def test_wrong_names_are_refused(phantom):
    with pytest.raises(ValueError, match="names out of"):
        phantom.counterfactual(0, without=["Fracture"])
    with pytest.raises(ValueError, match="names out of"):
        phantom.counterfactual(0, without="Edema")
    with pytest.raises(ValueError, match="both add and take away"):
        phantom.counterfactual(0, without=["Edema"], with_=["Edema"])
    with pytest.raises(ValueError, match="goes along with one of"):
        Marker(finding="Fracture")


def test_the_marker_follows_its_finding(phantom):
    enlarged = phantom.labels[:, FINDINGS.index("Cardiomegaly")] == 1
    assert 0.42 < phantom.marked[enlarged].mean() < 0.58
    assert not phantom.marked[~enlarged].any()


@pytest.mark.parametrize(
    ("text", "place"), [("CXR-ROOM1", (20 / 320, 280 / 320)), ("+", (0.3, 0.875)), ("-", (0.3, 0.875))]
)
@pytest.mark.parametrize("size", [96, 128])
def test_the_marker_is_the_only_difference_and_a_clear_one(text, place, size):
    phantom = Phantom(count=10, marker=Marker(text=text, place=place, share_of_positives=1, share_of_negatives=1))
    mask = phantom.marker_mask(None, size)
    contrasts = []
    for i in range(10):
        change = np.abs(phantom.image(i, size) - phantom.counterfactual(i, size, marker=False))
        assert change[~binary_dilation(mask, iterations=1)].max() < 1
        np.testing.assert_array_equal(mask, phantom.marker_mask(i, size))
        contrasts.append(change[mask].mean())
    assert np.median(contrasts) > 40


def test_prevalences_and_co_occurrence():
    labels = Phantom(count=4000).labels
    assert np.all((labels.mean(0) > 0.25) & (labels.mean(0) < 0.40))
    together = np.corrcoef(labels.T)
    assert together[FINDINGS.index("Cardiomegaly"), FINDINGS.index("Edema")] > 0.25
    assert together[FINDINGS.index("Edema"), FINDINGS.index("Effusion")] > 0.2
    assert abs(together[FINDINGS.index("Cardiomegaly"), FINDINGS.index("Consolidation")]) < 0.2


def test_few_lesions_are_barely_visible(phantom):
    severe = phantom.severities[phantom.labels == 1]
    assert severe.min() >= 0.12 and (severe < 0.25).mean() < 0.08 and (severe > 0.7).mean() > 0.25


def test_no_patient_is_in_two_parts(phantom):
    parts = [phantom.split(name) for name in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts)) == list(phantom.split("all"))
    assert len(np.unique(phantom.patients)) == len(phantom)
    np.testing.assert_array_equal(Phantom(count=500).split("test"), parts[2][parts[2] < 500])
    with pytest.raises(ValueError, match="split must be one of"):
        phantom.split("dev")


def test_labels_are_drawn_without_drawing_films():
    start = time.process_time()
    Phantom(count=2000)
    assert time.process_time() - start < 5


def test_a_film_is_drawn_quickly(phantom):
    phantom.image(0)
    times = []
    for _ in range(5):
        start = time.process_time()
        phantom.pictures(range(20))
        times.append((time.process_time() - start) / 20)
    assert min(times) < 0.025  # about 0.01 on a core that does nothing else


def test_pixels_alone_do_not_tell_the_findings(phantom):
    films = phantom.pictures(range(1500), 64)[:, ::2, ::2].reshape(1500, -1)
    seen, unseen = np.concatenate([phantom.split("train"), phantom.split("validation")]), phantom.split("test")
    scale = StandardScaler().fit(films[seen])
    areas = []
    for j in range(len(FINDINGS)):
        line = LogisticRegression(C=1e-3, max_iter=100).fit(scale.transform(films[seen]), phantom.labels[seen, j])
        areas.append(roc_auc_score(phantom.labels[unseen, j], line.decision_function(scale.transform(films[unseen]))))
    assert 0.6 < np.mean(areas) < 0.85
