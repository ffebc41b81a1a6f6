"""The small classifier: it learns, is found again, and shuffled it knows nothing."""

import numpy as np
import torch

from engine.classifiers.small import Preset, SmallClassifier, trained, with_shuffled_weights
from engine.metrics.classification import auc
from engine.networks.augmentation import Augmentation
from engine.training.loop import Machine
from tests.classifiers.test_resnet50 import Halves

CPU = Machine("cpu")
SHORT = Preset(
    size=32, steps=24, validate_every=8, batch=16, learning_rate=5e-3, augmentation=Augmentation(rotate=0, gamma=0.1)
)


def test_it_learns_is_found_again_and_is_not_trained_unasked(tmp_path):
    films = Halves()
    assert trained(films, SHORT, tmp_path, CPU, 1, train=False) is None
    found = trained(films, SHORT, tmp_path, CPU, 1, train=True)
    test = films.split("test")
    with torch.no_grad():
        scores = torch.sigmoid(found.net(found.recipe.films.batch(test))).numpy()
    assert auc(films.labels[test, 0], scores[:, 0]).value > 0.8
    assert found.thresholds.shape == (2,) and (found.thresholds > 0).all() and (found.thresholds < 1).all()
    again = trained(films, SHORT, tmp_path, CPU, 1, train=False)
    assert all(torch.equal(a, b) for a, b in zip(found.net.state_dict().values(), again.net.state_dict().values()))


def test_its_answer_is_linear_in_the_means_of_features_that_are_not_negative():
    net, x = SmallClassifier(3, width=2).eval(), torch.randn(2, 1, 32, 40)
    features = net.features(x)
    assert features.shape == (2, 16, 4, 5) and features.min() >= 0
    assert torch.allclose(net(x), net.weigh(features.mean(dim=(2, 3))))


def test_shuffled_weights_are_the_same_numbers_and_the_original_stays():
    net = SmallClassifier(3, width=2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    other = with_shuffled_weights(net, 0)
    for name, value in other.named_parameters():
        assert np.array_equal(np.sort(value.detach().numpy(), axis=None), np.sort(before[name].numpy(), axis=None))
    assert not torch.equal(other.weigh.weight, net.weigh.weight)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
