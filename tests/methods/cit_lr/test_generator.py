"""A generator's checkpoint shows patients otherwise, and is trained, stopped and resumed like any other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.bias.interventions import Interventions
from engine.checkpoints.format import RefusedCheckpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.datasets.phantom.collection import Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.methods.cit_lr.evaluate import evaluate, quality
from engine.methods.cit_lr.network import Architecture, Denoiser, Networks, Perturbation
from engine.methods.cit_lr.produce import GUIDANCES, _start_from, tiny, weakest
from engine.methods.cit_lr.train import HEAVIEST, PHASES, reweighed
from engine.methods.cit_lr.training_data import Preset, TrainingData, encoded
from engine.registry import methods, open_generator, open_model, trained
from engine.training.job import TrainingJob
from engine.training.loop import Machine

SMALL = Architecture(size=32, encoder_width=8, latent=2, width=24, perturbation_width=4, oracle_width=4)


@pytest.fixture(scope="module")
def phantom():
    return Phantom(count=30, size=64)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return open_generator(tiny(tmp_path_factory.mktemp("tiny") / "small"), "cpu")


def test_alternatives_are_films_of_the_same_patients_in_their_own_units(generator, phantom):
    heard = []
    found = generator.counterfactuals(phantom, np.arange(20), "sex", lambda *done: heard.append(done), size=64)
    assert isinstance(generator, Interventions) and not generator.exact
    assert found.values == ("F", "M") and found.original.shape == (20, 64, 64)
    assert np.array_equal(found.original[3], phantom.image(3, 64))
    assert all(np.isfinite(pictures).all() for pictures in found.pictures.values())
    assert len(found.representation) == 20 and heard[-1] == (20, 20)


def test_alternatives_are_the_same_whichever_pictures_stand_beside(generator, phantom):
    together = generator.counterfactuals(phantom, np.arange(5), "view_position")
    alone = generator.counterfactuals(phantom, np.array([3]), "view_position")
    for value in ("AP", "PA"):
        assert np.allclose(
            together.pictures[value][3], alone.pictures[value][0], atol=0.6
        )  # grey levels of 255, reduced precision


def test_an_attribute_that_was_not_learned_is_refused_by_name(generator, phantom):
    with pytest.raises(ValueError, match="'race'.*sex, view_position"):
        generator.counterfactuals(phantom, np.arange(3), "race")


def test_a_generator_is_no_model_and_a_model_no_generator(tmp_path):
    checkpoint = tiny(tmp_path / "small")
    assert "cit_lr" in trained() and "cit_lr" not in methods()
    with pytest.raises(RefusedCheckpoint, match="bias report"):
        open_model(checkpoint)
    with pytest.raises(RefusedCheckpoint, match="cannot change an attribute"):
        open_generator(methods()["cx_gan"].tiny(tmp_path / "other"))


def test_a_perturbation_moves_every_picture_by_its_strength():
    z = torch.randn(3, 2, 8, 8)
    moved = Perturbation(SMALL, 0.1)(z) - z
    assert torch.allclose(moved.flatten(1).norm(dim=1), torch.full((3,), 0.1 * (2 * 64) ** 0.5), rtol=1e-4)


def test_the_denoiser_hears_every_attribute_and_knows_unknown_as_a_word_of_its_own():
    torch.manual_seed(0)
    net = Denoiser(SMALL, (2, 3)).eval()
    z, t = torch.randn(1, 2, 8, 8), torch.tensor([500])
    said = [net(z, t, torch.tensor([codes])) for codes in ([0, 0], [1, 0], [0, 2], [-1, 0])]
    assert all(not torch.allclose(a, b, atol=1e-7) for i, a in enumerate(said) for b in said[:i])


def test_codes_know_what_is_unknown(phantom):
    codes = encoded(
        phantom,
        np.arange(len(phantom)),
        {"sex": ("F", "M"), "view_position": ("PA",), "race": ("A", "B")},
        ("Edema", "Hernia"),
    )
    assert np.array_equal(codes[:, 0], np.where(phantom.attributes["sex"] == "M", 1, 0))
    assert set(codes[phantom.attributes["view_position"] == "AP", 1]) == {-1}
    assert set(codes[:, 2]) == {-1} and set(codes[:, 4]) == {-1}
    assert np.array_equal(codes[:, 3], phantom.labels[:, list(phantom.findings).index("Edema")])


def test_a_collection_without_attributes_is_refused(tmp_path):
    from engine.datasets.vagan_synthetic import VAGANSynthetic

    with pytest.raises(ValueError, match="knows no attribute"):
        TrainingData(VAGANSynthetic(count=20), Preset(architecture=SMALL))


def test_quality_is_measured_for_every_attribute_and_beside_what_is_not_disentangled(generator, phantom):
    found = quality(generator, phantom, np.arange(24))
    assert set(found) == {"sex", "view_position"}
    for name, rows in found.items():
        assert {"composition", "effectiveness"} <= {row.metric for row in rows}
        assert any(row.metric == "effectiveness" and row.attribute == name for row in rows)
    rows, _ = evaluate(generator, phantom, np.arange(24))
    told = {
        words: [row for row in rows if row.subject.startswith(words)]
        for words in ("noise drawn", "inverted", "beta-VAE", "drawn anew")
    }
    assert all({row.metric for row in measured} >= {"composition", "effectiveness"} for measured in told.values())
    exact = {row.subject: row.value for row in told["drawn anew"] if row.metric == "composition"}
    assert set(exact.values()) == {0} and all(
        row.value > 0.01 for row in told["beta-VAE"] if row.metric == "composition"
    )


def test_of_an_attribute_that_the_pictures_do_not_tell_nothing_is_measured_and_that_is_said(generator, phantom):
    silent = SelectedFindings(phantom, ("Effusion",))
    silent.attributes = {"sex": phantom.attributes["sex"]}
    rows, remarks = evaluate(
        generator, silent, np.arange(24), {"sex": quality(generator, silent, np.arange(4))["sex"], "view_position": []}
    )
    assert not any("view_position" in row.subject for row in rows)
    assert remarks == ["view_position was not measured: no picture here has a known value of it"]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    changes = {
        "size": "32",
        "encoder_width": "8",
        "latent": "2",
        "width": "24",
        "perturbation_width": "4",
        "oracle_width": "4",
        "oracle_steps": "3",
        "autoencoder_steps": "3",
        "denoiser_steps": "3",
        "disentangler_steps": "2",
        "beta_vae_steps": "3",
        "validate_every": "2",
        "batch": "4",
        "disentangled": "16",
        "validated": "8",
        "num_steps": "2",
    }
    return TrainingJob(
        name="small",
        collection=Phantom(count=160, size=32),
        terms="drawn",
        preset="demo",
        changes=changes,
        guidance=None,
        guidance_words="none",
        machine=Machine("cpu"),
        seed=1,
        command="python -m engine train cit_lr --data phantom",
        destination=folder / "out",
        runs=folder / "runs",
    )


def test_the_disentangler_learns_at_the_rate_that_is_declared_and_the_other_phases_do_not_ask_for_it():
    preset = Preset(architecture=SMALL, disentangler_rate=7e-4)
    training_data = TrainingData(Phantom(count=160, size=32), preset)
    nets = Networks(SMALL, training_data.attributes, training_data.collection.findings, preset.perturbation_scale)
    phases = {name: phase(training_data, preset, nets, 0) for name, phase in PHASES.items()}
    learning = phases["disentangler"].optimisers()
    assert {name: optimiser.param_groups[0]["lr"] for name, optimiser in learning.items()} == {
        "information": 7e-4,
        "perturbation": 7e-4,
    }
    assert Preset().disentangler_rate == 1e-3  # what both shipped generators learned at, under the name 1e-4
    assert [name for name, phase in phases.items() if "disentangler_rate" in phase.settings()] == ["disentangler"]


def test_reweighed_findings_do_not_go_together_with_attributes():
    random = np.random.default_rng(0)
    groups = random.integers(0, 2, (4000, 2))
    labels = (random.random(4000) < np.where(groups[:, 0] == 1, 0.8, 0.3)).astype(np.int64)
    weights = reweighed(groups, labels, np.arange(4000))
    shares = [np.average(labels[chosen], weights=weights[chosen]) for chosen in (groups[:, 0] == 0, groups[:, 0] == 1)]
    assert shares[0] == pytest.approx(shares[1], abs=1e-6) and shares[0] == pytest.approx(labels.mean(), abs=1e-6)


def test_a_pair_that_the_training_pictures_do_not_have_weighs_no_more_than_the_heaviest():
    groups, labels = np.array([[0], [0], [1], [1]]), np.array([0, 1, 1, 0])
    assert reweighed(groups, labels, np.array([0, 1, 2])).max() <= HEAVIEST


def test_a_generator_knows_whose_pictures_its_quality_was_measured_on(generator):
    assert generator.collection == "phantom"


def test_training_ends_in_a_checkpoint_with_a_whole_card_that_opens(job):
    checkpoint = trained()["cit_lr"].train(job)
    opened = open_checkpoint(job.destination / "small")
    assert opened.sha256 == checkpoint.sha256 and "sex" in opened.card and "composition" in opened.card
    generator = open_generator(opened, "cpu")
    assert (
        set(generator.quality) == {"sex", "view_position"}
        and 0 < min(generator.nets.guidance) <= max(generator.nets.guidance) <= GUIDANCES[-1]
    )
    found = generator.counterfactuals(job.collection, np.arange(2), "sex")
    assert found.original.shape == (2, 32, 32)


def test_a_generator_takes_no_guidance(job):
    with pytest.raises(ValueError, match="without guidance"):
        trained()["cit_lr"].train(replace(job, guidance=object()))


def test_a_training_can_begin_with_another_generators_networks_of_the_same_sizes_only(tmp_path):
    other = tiny(tmp_path / "other", seed=5)
    torch.manual_seed(0)
    nets = Networks(SMALL, {"marker": ("absent", "present")}, ("Edema",), 0.1)
    _start_from(nets, other)
    assert torch.equal(nets.state_dict()["denoiser.net.conv_in.weight"], other.weights()["denoiser.net.conv_in.weight"])
    with pytest.raises(ValueError, match="other sizes"):
        _start_from(Networks(replace(SMALL, width=48), {"sex": ("F", "M")}, ("Edema",), 0.1), other)
    with pytest.raises(ValueError, match="checkpoint of cx_gan"):
        _start_from(nets, methods()["cx_gan"].tiny(tmp_path / "gan"))


def test_networks_of_another_shape_are_refused(tmp_path):
    import json

    checkpoint = tiny(tmp_path / "small")
    config = json.loads((checkpoint.folder / "config.json").read_text())
    (checkpoint.folder / "config.json").write_text(
        json.dumps(config | {"attributes": {"sex": ["F", "M", "X"], "view_position": ["AP", "PA"]}})
    )
    with pytest.raises(RefusedCheckpoint, match="not a whole CIT-LR"):
        open_generator(checkpoint.folder)


def test_the_parts_are_what_is_shipped():
    nets = Networks(SMALL, {"sex": ("F", "M")}, ("Effusion",), 0.1)
    assert [name for name, _ in nets.named_children()] == [
        "autoencoder",
        "denoiser",
        "perturbation",
        "oracle",
        "beta_vae",
    ]


@pytest.mark.parametrize(
    ("convinced", "chosen"),
    [
        (lambda w: 1 - 0.25 / w, 2.5),  # 0.90 at 2.5
        (lambda w: 0.95, 0.25),  # the first tried does, and then a half and a quarter of it
        (lambda w: 0.8 - abs(w - 4.5) / 100, 4.5),  # none convinces: the one that does most
    ],
)
def test_guidance_is_the_weakest_that_convinces(convinced, chosen):
    assert weakest(convinced) == chosen
