"""The baseline: a ResNet-50 that sees the same films, learns from known labels only, and goes on where it
was stopped.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from engine.classifiers import resnet50
from engine.classifiers.resnet50 import PRESETS, Preset, ResNet50Recipe, masked_loss, scores_on_test
from engine.datasets.collection import Collection
from engine.networks.augmentation import Augmentation
from engine.training.loop import Machine, best_weights, run

CPU = Machine("cpu")
SHORT = Preset(
    size=32, steps=6, validate_every=3, batch=8, learning_rate=3e-3, augmentation=Augmentation(rotate=5, gamma=0.2)
)


class Halves(Collection):
    """Noise, brighter on the left half of the films with the first finding; the second finding's labels are
    partly unknown.
    """

    name, findings, attributes = "halves", ("Left", "Unsure"), {}

    def __init__(self, count: int = 80):
        draw = np.random.default_rng(0)
        self.labels = (draw.random((count, 2)) < 0.5).astype(np.float32)
        self.labels[draw.random(count) < 0.3, 1] = np.nan
        self.patients = np.array([f"p{i:03d}" for i in range(count)])

    def image(self, index, size=None):
        film = np.random.default_rng(index).normal(100, 10, (size or 32, size or 32)).astype(np.float32)
        film[:, : film.shape[1] // 2] += 25 * self.labels[index, 0]
        return film

    def split(self, name):
        ends = {"train": (0, 50), "validation": (50, 65), "test": (65, len(self)), "all": (0, len(self))}[name]
        return np.arange(*ends)


@pytest.fixture
def small(monkeypatch):
    """The recipe around a network that a test has time for."""

    def network(findings: int) -> nn.Module:
        layers = [
            nn.Conv2d(1, 8, 5, 2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(128, findings),
        ]
        return nn.Sequential(*layers)

    monkeypatch.setattr(resnet50, "network", network)


def weights_after(folder: Path, preset: Preset, resume: bool = False) -> dict[str, torch.Tensor]:
    recipe = ResNet50Recipe(Halves(), preset)
    run(recipe, folder, CPU.fabric(folder), resume)
    return recipe.net.state_dict()


def test_it_is_torchvisions_resnet50_but_for_its_two_ends():
    net = resnet50.network(5)
    usual = torchvision.models.resnet50(weights=None, num_classes=5)
    count = sum(p.numel() for p in net.parameters())
    assert count == sum(p.numel() for p in usual.parameters()) - 2 * 64 * 7 * 7
    assert net.eval()(torch.zeros(2, 1, 64, 64)).shape == (2, 5)


@pytest.mark.parametrize("seed", range(3))
def test_unknown_labels_take_no_part(seed):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 3, generator=draw).requires_grad_()
    labels = (torch.rand(6, 3, generator=draw) < 0.5).float()
    unknown = torch.rand(6, 3, generator=draw) < 0.4
    labels[unknown] = torch.nan
    loss = masked_loss(logits, labels)
    loss.backward()
    expected = nn.functional.binary_cross_entropy_with_logits(logits[~unknown], labels[~unknown])
    torch.testing.assert_close(loss, expected)
    assert (logits.grad[unknown] == 0).all() and (logits.grad[~unknown] != 0).all()


def test_a_batch_of_unknown_labels_changes_nothing():
    logits = torch.randn(2, 3).requires_grad_()
    masked_loss(logits, torch.full((2, 3), torch.nan)).backward()
    assert (logits.grad == 0).all()


def test_an_epoch_shows_every_training_picture_once_in_a_new_order(small, monkeypatch):
    recipe, shown = ResNet50Recipe(Halves(), SHORT), []
    batch = recipe.films.batch
    monkeypatch.setattr(recipe.films, "batch", lambda indices: shown.extend(indices.tolist()) or batch(indices))
    for step in range(25):  # 200 pictures are four epochs of 50
        recipe.batch(step)
    epochs = [shown[start : start + 50] for start in range(0, 200, 50)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_follows_from_seed_and_step_alone(small):
    one, other = ResNet50Recipe(Halves(), SHORT), ResNet50Recipe(Halves(), SHORT)
    one.batch(0)
    for first, second in zip(one.batch(4), other.batch(4)):
        torch.testing.assert_close(first, second, equal_nan=True, atol=0, rtol=0)
    assert not torch.equal(one.batch(4)[0], ResNet50Recipe(Halves(), SHORT, seed=7).batch(4)[0])


def test_a_stopped_training_goes_on_to_the_same_weights(small, tmp_path):
    from dataclasses import replace

    whole = weights_after(tmp_path / "whole", SHORT)
    weights_after(tmp_path / "parts", replace(SHORT, steps=4))
    parts = weights_after(tmp_path / "parts", SHORT, resume=True)
    assert whole.keys() == parts.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], msg=name)


def test_it_learns_and_the_weights_of_the_best_validation_give_the_scores(small, tmp_path):
    collection = Halves()
    scores = scores_on_test(
        collection, Preset(size=32, steps=60, validate_every=10, batch=10, learning_rate=1e-2), tmp_path, CPU
    )
    left = collection.labels[collection.split("test"), 0] == 1
    assert scores.shape == (15, 2) and scores[left, 0].mean() > scores[~left, 0].mean() + 0.3
    recipe = ResNet50Recipe(collection, Preset(size=32))
    recipe.net.load_state_dict(best_weights(tmp_path))
    np.testing.assert_allclose(recipe.scores(collection.split("test"), CPU.fabric(tmp_path)), scores, atol=1e-5)


def test_scores_are_kept_for_the_same_training_only(small, tmp_path, monkeypatch):
    from dataclasses import replace

    first = scores_on_test(Halves(), SHORT, tmp_path, CPU)
    monkeypatch.setattr("engine.training.loop.run", lambda *_, **__: pytest.fail("trained again"))
    np.testing.assert_allclose(scores_on_test(Halves(), SHORT, tmp_path, CPU), first, atol=1e-6)
    others = [replace(SHORT, value_range=0.8), replace(SHORT, steps=7), replace(SHORT, augmentation=Augmentation())]
    assert all(scores_on_test(Halves(), other, tmp_path, CPU, train=False) is None for other in others)
    assert scores_on_test(Halves(), SHORT, tmp_path, CPU, seed=1, train=False) is None
    assert scores_on_test(Halves(81), SHORT, tmp_path, CPU, train=False) is None


def test_nothing_is_trained_unasked(small, tmp_path):
    assert scores_on_test(Halves(), SHORT, tmp_path, CPU, train=False) is None
    assert not any(tmp_path.iterdir())


def test_too_few_pictures_for_a_batch_is_said(small):
    with pytest.raises(ValueError, match="a batch of 64 needs as many training pictures; there are 50"):
        ResNet50Recipe(Halves(), Preset(size=32, batch=64))


def test_the_papers_rate_and_decay():
    assert all((p.learning_rate, p.weight_decay) == (1e-4, 1e-5) for p in PRESETS.values())
    assert PRESETS["paper"].size == 320 and PRESETS["paper"].batch == 4
