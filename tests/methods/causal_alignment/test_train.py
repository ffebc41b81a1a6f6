"""The training: what is learned from, what is logged, how it resumes, and the checkpoint that comes of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.datasets import open_collection, registered_collection
from engine.datasets.busi import BUSI
from engine.methods.causal_alignment.evaluate import evaluate
from engine.methods.causal_alignment.latent import LatentSpace
from engine.methods.causal_alignment.network import Architecture
from engine.methods.causal_alignment.pictures import RegionPictures, on_plain_background
from engine.methods.causal_alignment.produce import produce
from engine.methods.causal_alignment.train import PRESETS, CausalAlignmentRecipe, Preset
from engine.metrics.subjects import CHANGE, FLIPS, MEAN_MOVE
from engine.networks.augmentation import Augmentation
from engine.preprocessing import Preprocessing
from engine.registry import UnsuitableScan, open_model
from engine.training.job import TrainingJob
from engine.training.loop import Machine, run
from tests.datasets.test_busi import write_folder

SMALL = Preset(
    architecture=Architecture(size=32, width=4, halvings=2, hidden=4),
    steps=4,
    validate_every=2,
    batch=8,
    aligned=3,
    alpha_image=0.5,
    relative=1,
    distance="squared_l2",
    masked_steps=1,
    fading_steps=1,
    iterations=60,
    damping=0.0,
)
OPTIONS = {"findings": ("Malignant",), "classes": "benign,malignant", "crop": "whole", "symbol": "plus_minus"}
CONCEPTS = ("bright", "wide", "left")


class WithConcepts(BUSI):
    """Frames with attributes that nobody rated, the first of which tells the classes apart."""

    def __init__(self, root, **options):
        super().__init__(root, **options)
        random = np.random.default_rng(0)
        self.concepts = CONCEPTS
        self.concept_labels = random.integers(0, 2, (len(self), 3)).astype(np.float32)
        flipped = random.random(len(self)) < 0.1
        self.concept_labels[:, 0] = np.where(flipped, 1 - self.labels[:, 0], self.labels[:, 0])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("busi"), each=40)


@pytest.fixture(scope="module")
def frames(root):
    return open_collection("busi", root, **OPTIONS)


@pytest.fixture(scope="module")
def with_concepts(root):
    return WithConcepts(root, **OPTIONS)


def job(collection, folder, **changes):
    settings = {"size": 32, "width": 4, "steps": 3, "validate_every": 3, "batch": 8, "aligned": 2, "masked_steps": 1}
    return TrainingJob(
        name="small",
        collection=collection,
        terms=registered_collection("busi").terms,
        preset="demo",
        changes={name: str(value) for name, value in (settings | {"fading_steps": 0} | changes).items()},
        guidance=None,
        guidance_words="none",
        machine=Machine("cpu"),
        seed=1,
        command="python -m engine train causal_alignment",
        destination=folder / "out",
        runs=folder / "runs",
    )


def test_every_preset_is_whole():
    assert {"demo", "gpu", "paper"} == {*PRESETS}
    paper = PRESETS["paper"]
    assert (paper.batch, paper.learning_rate, paper.alpha_image, paper.alpha_attributes) == (128, 1e-3, 0.01, 0.0005)
    assert paper.lambda_image == paper.lambda_attributes == 1 and paper.distance == "l1" and not paper.relative


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"distance": "l3"}, "distance must be one of"),
        ({"aligned": 9}, "at most the batch"),
        ({"alpha_image": 0.0}, "must be above 0"),
        ({"relative": 2}, "relative must be 0 or 1"),
        ({"averaging": 1.0}, "averaging in"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **changes)


def test_it_learns_one_diagnosis_alone(root):
    two = open_collection("busi", root, findings=("Malignant", "Benign"))
    with pytest.raises(ValueError, match="learns one diagnosis"):
        CausalAlignmentRecipe(two, SMALL)


def test_a_region_moves_with_its_picture(frames):
    pictures = RegionPictures(frames, Preprocessing(32))
    wide = Augmentation(rotate=20, shift=0.1, scale=0.2)
    batch = pictures.batch(np.random.default_rng(0), 8, wide, mirror=True)
    still = pictures.batch(np.random.default_rng(0), 8, Augmentation(), mirror=False)
    assert (batch.indices == still.indices).all() and not torch.equal(batch.region, still.region)
    assert torch.equal(still.region[:, 0] > 0, torch.from_numpy(pictures.regions(still.indices)))
    assert batch.region.shape == batch.x.shape == (8, 1, 32, 32) and {*batch.region.unique().tolist()} <= {0.0, 1.0}


def test_on_a_plain_background_nothing_of_the_surroundings_is_seen(frames):
    pictures = RegionPictures(frames, Preprocessing(32))
    batch = pictures.batch(np.random.default_rng(1), 6, Augmentation(), mirror=False)
    hidden, half = (on_plain_background(batch.x, batch.region, shown) for shown in (0.0, 0.5))
    inside = batch.region.bool()
    assert torch.equal(hidden[inside], batch.x[inside])
    for row in range(6):
        assert hidden[row][~inside[row]].unique().numel() == 1
    assert (half - hidden).abs()[~inside].sum() > 0 and torch.equal(
        on_plain_background(batch.x, batch.region, 1), batch.x
    )


def test_the_alignment_starts_when_the_background_comes(frames):
    recipe = CausalAlignmentRecipe(frames, SMALL)
    batch = recipe.pictures.batch(recipe.draw("batch", 0), 8, SMALL.augmentation, False)
    assert "image alignment" not in recipe.losses(batch, 0)[0]
    losses, said = recipe.losses(batch, 1)
    assert 0 < float(losses["image alignment"]) <= 1 and said["arrived"] > 0
    unaligned = CausalAlignmentRecipe(frames, replace(SMALL, lambda_image=0.0))
    assert [*unaligned.losses(batch, 1)[0]] == ["diagnosis"]


def test_with_attributes_both_levels_are_aligned(with_concepts):
    recipe = CausalAlignmentRecipe(with_concepts, SMALL)
    assert recipe.concepts == CONCEPTS
    train = with_concepts.split("train")
    assert (
        recipe.causal[train][:, 0].mean() > recipe.causal[train][:, 1:].mean()
    )  # the one that tells the classes apart
    batch = recipe.pictures.batch(recipe.draw("batch", 3), 8, SMALL.augmentation, False)
    losses, said = recipe.losses(batch, 3)
    assert [*losses] == ["diagnosis", "attributes", "attribute alignment", "image alignment"]
    assert 0 <= said["attribute share outside"] <= 1
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in recipe.net.parameters())
    assert CausalAlignmentRecipe(with_concepts, replace(SMALL, hierarchical=0)).concepts == ()


@pytest.mark.parametrize("distance", ["squared_l2", "scaled_squared_l2", "l1", "scaled_l1"])
def test_every_distance_aligns_attributes_and_latents(with_concepts, distance):
    changes = {"distance": distance, "damping": 1e-2, "tolerance": 5e-2, "alpha_attributes": 0.05}
    preset = replace(SMALL, space="latent", autoencoder_steps=1, latent_width=2, latent_channels=2, **changes)
    recipe = CausalAlignmentRecipe(with_concepts, preset)
    batch = recipe.pictures.batch(recipe.draw("batch", 3), 8, SMALL.augmentation, False)
    with pytest.raises(ValueError, match="trained before the classifier"):
        recipe.losses(batch, 3)
    recipe.latent = LatentSpace(2, 2).eval().requires_grad_(False)
    losses, said = recipe.losses(batch, 3)
    assert said["arrived"] > 0 and 0 <= said["share outside"] <= 1
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in recipe.net.parameters())


@pytest.mark.parametrize("distance", ["scaled_squared_l2", "l1", "scaled_l1"])
def test_every_distance_makes_a_step(frames, distance, tmp_path):
    preset = replace(SMALL, distance=distance, damping=1e-2, masked_steps=0, tolerance=1e-2, alpha_image=0.02)
    recipe = CausalAlignmentRecipe(frames, preset)
    assert np.isfinite(recipe.step(1, Machine("cpu").fabric(tmp_path))["diagnosis"])


def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(frames, tmp_path):
    whole, halves = CausalAlignmentRecipe(frames, SMALL), CausalAlignmentRecipe(frames, SMALL)
    run(whole, tmp_path / "whole", Machine("cpu").fabric(tmp_path))
    halves.steps = 2
    run(halves, tmp_path / "halves", Machine("cpu").fabric(tmp_path))
    resumed = CausalAlignmentRecipe(frames, SMALL)
    run(resumed, tmp_path / "halves", Machine("cpu").fabric(tmp_path), resume=True)
    first, second = whole.net.state_dict(), resumed.net.state_dict()
    assert max(float((first[k] - second[k]).abs().max()) for k in first) < 1e-6


@pytest.mark.parametrize("lambda_image", [1, 0])
def test_a_checkpoint_says_what_moves_its_map_and_what_moves_its_answer(frames, tmp_path, lambda_image):
    made = produce(job(frames, tmp_path, lambda_image=lambda_image))
    assert ("held to the region" in made.card) == bool(lambda_image)
    assert ("without any alignment" in made.card) == (not lambda_image)
    assert made.config["data"]["options"]["symbol"] == "plus_minus"
    rows, remarks = evaluate(open_model(made, "cpu"), frames, frames.split("all"))
    of = {(row.metric, row.variant): row for row in rows}
    for about in (
        ("cam_precision", ""),
        ("accuracy", ""),
        ("pixels_changed", ""),
        ("effect", MEAN_MOVE),
        ("effect", FLIPS),
    ):
        assert np.isfinite(of[about].value) and of[about].value >= 0
    assert abs(of["effect", CHANGE].value) <= of["effect", MEAN_MOVE].value + 1e-9
    assert of["cam_precision", ""].chance == pytest.approx(0.07, abs=0.04)
    assert any("drawn at random" in remark for remark in remarks)


@pytest.mark.parametrize(("space", "distance"), [("latent", "scaled_squared_l2"), ("image", "l1")])
def test_a_checkpoint_with_an_autoencoder_seeks_counterfactuals_in_both_spaces(frames, tmp_path, space, distance):
    from engine.scan import Scan

    sizes = {"autoencoder_steps": 3, "latent_width": 2, "latent_channels": 2, "alpha_latent": 0.05, "damping": 1e-2}
    made = produce(job(frames, tmp_path, space=space, distance=distance, **sizes))
    model = open_model(made, "cpu")
    assert model.space == space and model.spaces == ("image", "latent")
    assert "autoencoder 0 minutes for 3 steps, 0 minutes for 3 steps" in made.card
    assert (model.search.scale is not None) == distance.startswith("scaled")
    scan = Scan.of(frames.image(0), kind="ultrasound")
    found = {s: model.in_space(s).explain(scan)[0] for s in model.spaces}
    assert np.array_equal(found[space].attribution, model.explain(scan)[0].attribution)
    assert not np.allclose(found["image"].attribution, found["latent"].attribution)
    for record in found.values():
        assert record.path.probabilities[4] <= record.probability
    with pytest.raises(UnsuitableScan, match="image or latent space"):
        model.in_space("wavelet")
    resumed = produce(replace(job(frames, tmp_path, space=space, distance=distance, **sizes), resume=True))
    assert resumed.sha256 == made.sha256


def test_a_checkpoint_without_an_autoencoder_knows_pictures_alone(frames, tmp_path):
    with pytest.raises(ValueError, match="needs an autoencoder"):
        produce(job(frames, tmp_path, space="latent"))
    model = open_model(produce(job(frames, tmp_path)), "cpu")
    assert model.spaces == ("image",)
    with pytest.raises(UnsuitableScan, match="in image space, not in latent"):
        model.in_space("latent")


def test_the_measured_symbols_are_random_in_training_pictures_too(frames, tmp_path):
    pictures = RegionPictures(frames, Preprocessing(32))
    train = frames.split("train")
    agree = (pictures.at_random(train) == "+") == (frames.labels[train, 0] == 1)
    assert 0.2 < agree.mean() < 0.8


def test_attributes_set_by_hand_move_the_diagnosis(with_concepts, tmp_path):
    model = open_model(produce(job(with_concepts, tmp_path)), "cpu")
    picture = with_concepts.image(0)
    seen = model.predict_attributes(picture)
    assert [*seen] == list(CONCEPTS) == list(model.concepts)
    assert model.predict_from_attributes(seen) == pytest.approx(float(model.predict_proba(picture)[0]), abs=1e-5)
    assert model.predict_from_attributes(dict.fromkeys(CONCEPTS, 1.0)) != model.predict_from_attributes(seen)
    less, more = (model.predict_from_attributes(model.attribute_counterfactual(seen, p)) for p in (False, True))
    assert less < model.predict_from_attributes(seen) < more
    for values, words in (({"bright": 1.0}, "each once"), (dict.fromkeys(CONCEPTS, 2.0), "from 0 to 1")):
        with pytest.raises(ValueError, match=words):
            model.predict_from_attributes(values)


def test_the_tree_goes_from_the_image_to_attributes_to_the_diagnosis(with_concepts, frames, tmp_path):
    from engine.scan import Scan

    pixels = frames.image(0)
    for collection, names in ((with_concepts, list(CONCEPTS)), (frames, [])):
        model = open_model(produce(job(collection, tmp_path / collection.__class__.__name__)), "cpu")
        (record,) = model.explain(Scan.of(pixels, kind="ultrasound"))
        image = record.regions
        assert image.level == "image" and image.score == pytest.approx(record.probability)
        assert image.mask.shape == pixels.shape and [part.name for part in image.parts] == names
        for part in image.parts:
            assert 0 <= part.score <= 1 and 0 <= part.counterfactual <= 1
            assert [below.level for below in part.parts] == ["diagnosis"]


def test_a_scan_is_cut_as_the_training_pictures_were(root, tmp_path):
    from engine.scan import Scan

    options = OPTIONS | {"crop": "beam", "symbol": "none"}
    beams = open_collection("busi", root, **options)
    model = open_model(produce(job(beams, tmp_path)), "cpu")
    scan = Scan.of(beams.scan_pixels(3), kind="ultrasound")
    seen = model.preprocessing.apply(beams.image(3, 32))
    assert np.allclose(model.preprocess(scan), seen, atol=1e-5)
    assert np.allclose(model.preprocess(beams.image(3, 32)), seen, atol=1e-5)  # it was cut before
    (record,) = model.explain(scan)
    crop = beams.cropped(scan.pixels)
    outside = np.ones(scan.pixels.shape, bool)
    outside[max(crop.top, 0) + 2 : crop.top + crop.height - 2, max(crop.left, 0) + 2 : crop.left + crop.width - 2] = 0
    assert outside.any() and record.attribution.shape == scan.pixels.shape
    assert np.abs(record.attribution)[:1].max() == 0 and not (record.regions.mask & outside)[:1].any()
