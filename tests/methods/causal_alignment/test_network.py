"""The classifier of causal alignment: its shapes, its seven layers, and what may not travel across a picture."""

import pytest
import torch
from torch import nn

from engine.methods.causal_alignment.network import LAYERS, Architecture, CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import on_pictures

SMALL = Architecture(size=32, width=4, hidden=8)


def network(attributes=3, architecture=SMALL):
    torch.manual_seed(0)
    return CausalAlignmentNetwork(attributes, architecture).double()


@pytest.mark.parametrize("pool", ["attention", "mean"])
@pytest.mark.parametrize("attributes", [0, 3])
def test_attributes_and_diagnosis_have_their_shapes(attributes, pool):
    net = network(attributes, Architecture(size=32, width=4, hidden=8, pool=pool))
    a, y = net(torch.rand(2, 1, 32, 32, dtype=torch.float64))
    assert a.shape == (2, attributes) and y.shape == (2,)


def test_it_has_seven_convolutions_and_two_layers_of_an_mlp():
    net = network()
    assert sum(isinstance(m, nn.Conv2d) for m in net.image.body.modules()) == LAYERS
    assert sum(isinstance(m, nn.Linear) for m in net.diagnosis.modules()) == 2


def test_the_diagnosis_is_that_of_the_attributes_alone():
    net = network()
    a, y = net(torch.rand(2, 1, 32, 32, dtype=torch.float64))
    assert torch.allclose(net.diagnose(torch.sigmoid(a)), y)
    assert not torch.allclose(net.diagnose(1 - torch.sigmoid(a)), y)


def test_a_classifier_without_attributes_has_none_to_set():
    with pytest.raises(ValueError, match="no attributes to set"):
        network(0).diagnose(torch.zeros(1, 0))


def test_a_mark_changes_the_features_near_it_only():
    net, x = network(), torch.rand(1, 1, 128, 128, dtype=torch.float64)
    marked = x.clone()
    marked[..., 4:9, 4:9] = 1
    changed = (net.image.features(marked) - net.image.features(x)).abs().amax(1)[0]  # (32, 32)
    assert changed[:4, :4].min() > 0 and changed[8:].max() == changed[:, 8:].max() == 0


@pytest.mark.parametrize(("spatial", "reach"), [(4, 19), (7, 43)])
def test_fewer_spatial_convolutions_see_less_of_the_surroundings(spatial, reach):
    net = network(0, Architecture(size=64, width=4, spatial=spatial, pool="mean"))
    x = torch.rand(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    (seen,) = torch.autograd.grad(net.features(x)[0, :, 8, 8].sum(), x)
    rows = torch.nonzero(seen[0, 0].abs().sum(1))[:, 0]
    assert int(rows[-1] - rows[0]) + 1 == reach
    assert sum(isinstance(m, nn.Conv2d) for m in net.image.body.modules()) == LAYERS


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_map_lies_on_the_pixels_that_it_was_made_of(halvings):
    side = 64 * 2**halvings // 2
    torch.manual_seed(0)
    net = CausalAlignmentNetwork(0, Architecture(size=side, width=4, halvings=halvings, pool="mean")).double()
    x = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    features = net.features(x)
    place = features.shape[2] // 2
    (seen,) = torch.autograd.grad(features[0, :, place, place - 1].sum(), x)
    rows, columns = (torch.nonzero(seen[0, 0].abs().sum(1 - axis))[:, 0] for axis in (0, 1))
    middle = [float(rows[0] + rows[-1]) / 2, float(columns[0] + columns[-1]) / 2]  # of all pixels that it looks at
    impulse = torch.zeros(1, *features.shape[2:], dtype=torch.float64)
    impulse[0, place, place - 1] = 1
    drawn, pixels = on_pictures(impulse, side)[0], torch.arange(side, dtype=torch.float64)
    for axis in (0, 1):
        assert float((drawn.sum(1 - axis) * pixels).sum() / drawn.sum()) == pytest.approx(middle[axis])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"size": 30}, "multiple of 2"),
        ({"halvings": 4}, "3 or less"),
        ({"width": 6}, "multiple of 4"),
        ({"pool": "largest"}, "attention, mean"),
        ({"hidden": 0}, "whole number above 0"),
        ({"spatial": 2}, "3 to 7"),
        ({"spatial": 8}, "3 to 7"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        Architecture(**{"size": 32, "width": 4, **sizes})
