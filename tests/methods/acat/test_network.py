"""ACAT's networks: shapes for any size, Eq. 1, and what starting from the baseline means."""

import pytest
import torch

from engine.methods.acat.network import ACAT, BACKBONES, Baseline, SaliencyAttention, SliceAttention, halves
from engine.networks.autoencoder import Autoencoder

SIZES = [(1, 32, 32), (5, 48, 40), (3, 33, 51)]


@pytest.mark.parametrize("backbone", ["seven_layers", "small_resnet"])
@pytest.mark.parametrize("half_brain", [False, True])
@pytest.mark.parametrize("shape", SIZES)
def test_any_size_and_number_of_slices_gives_log_probabilities(backbone, half_brain, shape):
    torch.manual_seed(0)
    network = ACAT(backbone, 4, half_brain, width=4).eval()
    volume, saliency = torch.rand(2, *shape), torch.rand(2, *shape)
    said, masks, weights = network.explained(volume, saliency)
    assert torch.allclose(said.exp().sum(1), torch.ones(2)) and said.shape == (2, 4)
    assert len(masks) == 4 and all(m.shape[:2] == (2, shape[0]) and m.min() >= 0 and m.max() <= 1 for m in masks)
    assert weights.shape == (2, shape[0])
    assert torch.allclose(network.image(volume).exp().sum(1), torch.ones(2))


def test_the_papers_backbone_has_its_size():
    stages = BACKBONES["resnet50"]()
    assert stages.width == 2048 and sum(p.numel() for p in stages.parameters()) == 23_508_032


def test_attention_is_equation_1_with_its_skip_connection():
    attend, image, saliency = SaliencyAttention(), torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    out, mask = attend(image, saliency)
    expected = torch.sigmoid(attend.convolution(saliency.max(1, keepdim=True).values))
    assert torch.equal(mask, expected) and torch.allclose(out, image * (1 + expected))


def test_the_right_half_is_read_mirrored():
    left, right = halves(torch.arange(6.0).view(1, 1, 1, 6)).flatten(1)
    assert left.tolist() == [0, 1, 2] and right.tolist() == [5, 4, 3]


def test_a_mirrored_head_swaps_left_and_right_of_the_features():
    torch.manual_seed(1)
    network = Baseline("seven_layers", 4, half_brain=True, width=4).eval()
    volume = torch.rand(1, 2, 32, 32)
    features, mirrored = network.features(volume), network.features(volume.flip(-1))
    assert torch.allclose(torch.cat(features.chunk(2, 2)[::-1], 2), mirrored, atol=1e-6)


def test_equal_slices_are_averaged():
    features = torch.randn(2, 1, 8).expand(2, 5, 8)
    pooled, weights = SliceAttention(8).eval()(features)
    assert torch.allclose(pooled, features[:, 0], atol=1e-6) and weights.shape == (2, 5)


def test_fine_tuning_starts_from_the_baseline():
    baseline = Baseline("small_resnet", 2, width=4)
    network = ACAT.from_baseline(baseline, "small_resnet", 2, width=4)
    assert all(torch.equal(v, baseline.state_dict()[k]) for k, v in network.image.state_dict().items())
    assert torch.equal(network.saliency[0][0][0].weight, baseline.stages[0][0][0].weight)


def test_saliency_of_other_voxels_is_refused():
    with pytest.raises(ValueError, match="shape"):
        ACAT("seven_layers", width=4)(torch.rand(1, 2, 32, 32), torch.rand(1, 2, 16, 16))


def test_the_latent_compresses():
    autoencoder = Autoencoder(width=4, latent=4)
    x = torch.rand(2, 1, 32, 48)
    z = autoencoder.encode(x)
    assert z.shape == (2, 4, 8, 12) and z[0].numel() * 4 == x[0].numel() and autoencoder.decode(z).shape == x.shape
    with pytest.raises(ValueError, match="multiples of 4"):
        autoencoder.encode(torch.rand(1, 1, 30, 32))
