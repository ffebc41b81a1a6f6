"""The synthetic pictures: drawn as the two recipes say, one scale for all, true counterfactuals, and how far a
threshold gets.
"""

import numpy as np
import pytest

from engine.datasets import SPLITS, open_collection
from engine.datasets.vagan_synthetic import PLACES, RECIPES, VAGANSynthetic


def overlap(called, truth):
    """(N,) IoU of each picture."""
    return (called & truth).sum(axis=(1, 2)) / (called | truth).sum(axis=(1, 2))


@pytest.mark.parametrize("recipe", RECIPES)
def test_noise_has_the_recipes_spread_and_smoothness(recipe):
    collection = VAGANSynthetic(count=50, recipe=recipe)
    normal = collection.pictures(range(0, 50, 2)) * collection.recipe.scale
    assert normal.std(axis=(1, 2)) == pytest.approx(50, rel=1e-3)
    neighbours = [np.corrcoef(p[:, :-1].ravel(), p[:, 1:].ravel())[0, 1] for p in normal]
    assert np.mean(neighbours) == pytest.approx(np.exp(-1 / (4 * 2.5**2)), abs=0.01)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_lesion_adds_exactly_the_effect_on_its_mask_and_nothing_elsewhere(recipe):
    collection = VAGANSynthetic(count=40, recipe=recipe)
    for index in range(40):
        change = collection.image(index) - collection.counterfactual(index, without=("Lesion",))
        expected = collection.lesion(index) * (collection.recipe.effect / collection.recipe.scale)
        assert np.allclose(change, expected, atol=1e-6)
        added = collection.counterfactual(index, with_=("Lesion",)) - collection.counterfactual(
            index, without=("Lesion",)
        )
        assert added.max() == pytest.approx(collection.recipe.effect / collection.recipe.scale, abs=1e-6)


def test_the_va_gan_recipe_has_a_square_in_the_centre_and_a_moved_one_in_the_named_corner():
    collection = VAGANSynthetic(count=400)
    starts = {place: set() for place in PLACES}
    for index in collection.annotated("Lesion"):
        mask = collection.lesion(index)
        assert mask.sum() == 800 and mask[46:66, 46:66].all()
        mask[46:66, 46:66] = False
        rows, columns = np.nonzero(mask)
        assert len(rows) == 400 and np.ptp(rows) == np.ptp(columns) == 19
        starts[str(collection.attributes["place"][index])].add((rows.min() - 46, columns.min() - 46))
    for place, centre in zip(PLACES, (32, -32)):
        assert np.min(list(starts[place]), axis=0).tolist() == [centre - 5] * 2
        assert np.max(list(starts[place]), axis=0).tolist() == [centre + 4] * 2


def test_the_cx_gan_recipe_has_one_disc_within_five_pixels_of_its_corner():
    collection = VAGANSynthetic(count=200, recipe="cx-gan")
    for index in collection.annotated("Lesion"):
        rows, columns = np.nonzero(collection.lesion(index))
        assert len(rows) == 193  # whole pixels nearer than 8 to the centre
        away = np.array([rows.mean(), columns.mean()]) - 64
        towards = 40 if collection.attributes["place"][index] == "lower right" else -40
        assert np.abs(away - towards).max() <= 5


def test_every_part_is_half_diseased_with_both_places_alike():
    collection = VAGANSynthetic()
    counts = {name: len(collection.split(name)) for name in SPLITS}
    assert counts == {"train": 6400, "validation": 1600, "test": 2000, "all": 10000}
    parts = [set(collection.split(name)) for name in SPLITS[:3]]
    assert len(set.union(*parts)) == 10000
    for part in SPLITS:
        places = collection.attributes["place"][collection.split(part)]
        assert {place: np.mean(places == place) for place in ("", *PLACES)} == {
            "": 0.5,
            PLACES[0]: 0.25,
            PLACES[1]: 0.25,
        }


def test_a_picture_depends_on_seed_and_index_alone():
    few, many, other = VAGANSynthetic(count=8), VAGANSynthetic(count=1000), VAGANSynthetic(count=8, seed=2)
    assert all((few.image(i) == many.image(i)).all() for i in range(8))
    assert (few.lesions(range(8)) == many.lesions(range(8))).all()
    assert all(abs(np.corrcoef(few.image(i).ravel(), other.image(i).ravel())[0, 1]) < 0.9 for i in range(0, 8, 2))
    assert len(set(many.patients)) == 1000 and not set(few.patients) & set(other.patients)


def test_one_scale_for_all_leaves_no_trace_of_a_lesion_in_the_background():
    collection = VAGANSynthetic(count=200, recipe="cx-gan")
    everything = collection.pictures(range(200))
    assert np.abs(everything).max() < 1 and everything.dtype == np.float32
    background = [picture[~collection.lesion(i)].mean() for i, picture in enumerate(everything)]
    assert abs(np.mean(background[::2]) - np.mean(background[1::2])) < 0.01


def test_a_plain_threshold_reaches_iou_030_on_the_va_gan_recipe():
    collection = VAGANSynthetic(count=2000)
    test = collection.split("test")
    pictures, truth = collection.pictures(test), collection.lesions(test)
    diseased = collection.labels[test, 0] == 1
    pooled, single = 0.0, 0.0
    for threshold in np.arange(60, 160, 4) / collection.recipe.scale:
        called = pictures > threshold
        pooled = max(pooled, (called & truth).sum() / (called | truth).sum())
        single = max(single, overlap(called[diseased], truth[diseased]).mean())
    assert pooled == pytest.approx(0.30, abs=0.02)
    assert single == pytest.approx(0.38, abs=0.02)


def test_a_plain_threshold_settles_the_cx_gan_recipe_however_it_is_scaled():
    collection = VAGANSynthetic(count=1000, recipe="cx-gan")
    diseased = [i for i in collection.split("test") if collection.labels[i, 0]]
    pictures, truth = collection.pictures(diseased), collection.lesions(diseased)
    stretched = pictures - pictures.min(axis=(1, 2), keepdims=True)
    stretched /= stretched.max(axis=(1, 2), keepdims=True)
    assert max(overlap(stretched > threshold, truth).mean() for threshold in np.linspace(0.4, 0.7, 16)) > 0.999
    assert overlap(pictures > 300 / collection.recipe.scale, truth).mean() > 0.999


def test_sizes_are_those_asked_for_and_masks_follow():
    collection = VAGANSynthetic(count=4)
    assert collection.image(1).shape == collection.lesion(1).shape == (112, 112)
    assert collection.image(1, 56).shape == collection.mask(1, "Lesion", 56).shape == (56, 56)
    assert collection.mask(1, "Lesion", 56).mean() == pytest.approx(collection.lesion(1).mean(), rel=0.1)
    assert collection.mask(0, "Lesion", 56) is None and not collection.lesion(0).any()
    assert collection.regions(0, "Lesion", 56) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"recipe": "vagan"}, "recipe must be one of va-gan, cx-gan, got 'vagan'"),
        ({"count": 0}, "count must be at least 1"),
        ({"count": 10**20}, "at most 1000000"),
        ({"findings": ("Mass",)}, "labelled for Lesion only, got Mass"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        open_collection("vagan_synthetic", **wrong)


def test_unknown_parts_and_findings_are_refused():
    collection = VAGANSynthetic(count=4)
    with pytest.raises(ValueError, match="split must be one of"):
        collection.split("dev")
    with pytest.raises(ValueError, match="finding must be one of Lesion"):
        collection.lesion(1, "Mass")
    with pytest.raises(ValueError, match="must be a collection of names"):
        collection.counterfactual(1, without="Lesion")
    with pytest.raises(ValueError, match="both add and take away"):
        collection.counterfactual(1, without=("Lesion",), with_=("Lesion",))
