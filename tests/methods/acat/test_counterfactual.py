"""Latent counterfactuals: both targets at once as one by one, stopping where they have arrived, and saliency that needs
no label.
"""

import pytest
import torch
from torch import nn

from engine.methods.acat.counterfactual import (
    NEGATIVE,
    POSITIVE,
    Search,
    latent_counterfactuals,
    saliency,
    stepped,
)


class Halver(nn.Module):
    """An autoencoder that loses nothing: latent = 2 x, with one channel and the picture's size."""

    def encode(self, x):
        return 2 * x

    def decode(self, z):
        return z / 2


def bright(volume):
    """A finding is a bright middle: log-probabilities of none, and of one of two kinds."""
    logit = 40 * (volume[:, :, 3:5, 3:5].flatten(1).mean(1) - 0.5)
    some = nn.functional.logsigmoid(logit)
    return torch.stack(
        [nn.functional.logsigmoid(-logit), some + torch.tensor(0.3).log(), some + torch.tensor(0.7).log()], 1
    )


SEARCH = Search(steps=60, step_size=0.3, alpha=0.1, enough=0.8)


@pytest.fixture
def scans():
    volume = torch.full((2, 3, 8, 8), 0.5) + 0.01 * torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    volume[0, :, 3:5, 3:5] = 0.56
    volume[1, :, 3:5, 3:5] = 0.44
    return volume


def test_both_targets_are_reached_and_the_search_ends_there(scans):
    found = latent_counterfactuals(bright, Halver(), scans, SEARCH)
    assert found.reached.all() and (found.steps < SEARCH.steps).all()
    assert (found.probabilities[-1, NEGATIVE] <= 0.2).all() and (found.probabilities[-1, POSITIVE] >= 0.8).all()
    assert found.steps[POSITIVE, 0] == 0 and found.steps[NEGATIVE, 0] > 0  # the first scan has the finding already


def test_a_scan_is_answered_the_same_alone_and_in_a_batch(scans):
    whole, alone = (latent_counterfactuals(bright, Halver(), part, SEARCH) for part in (scans, scans[1:]))
    assert torch.allclose(whole.pictures[:, 1:], alone.pictures, atol=1e-6)
    assert torch.equal(whole.steps[:, 1:], alone.steps)


def test_the_path_runs_from_the_scan_to_the_counterfactual(scans):
    found = latent_counterfactuals(bright, Halver(), scans, SEARCH, keep_path=True)
    assert len(found.path) == len(found.probabilities)
    assert torch.equal(found.path[0, NEGATIVE], scans) and torch.equal(found.path[-1], found.pictures)
    falling = found.probabilities[:, NEGATIVE, 0].diff()
    assert (falling <= 1e-6).all()


def test_a_quick_search_ends_where_the_exact_one_does_and_is_decoded_exactly(scans):
    coder = Halver()
    rough = lambda z: coder.decode(z.bfloat16()).float()
    exact = latent_counterfactuals(bright, coder, scans, SEARCH)
    found = latent_counterfactuals(bright, coder, scans, SEARCH, quick=rough)
    change, wanted = found.pictures - scans, exact.pictures - scans
    assert torch.allclose(change, wanted, atol=0.1 * float(wanted.abs().max()))
    assert torch.equal(found.pictures[POSITIVE, 0], scans[0]) and found.reached.all()  # it had arrived before
    with pytest.raises(ValueError, match="no path"):
        latent_counterfactuals(bright, coder, scans, SEARCH, keep_path=True, quick=rough)


def test_what_the_autoencoder_cannot_say_stays(scans):
    class Coarse(Halver):
        def encode(self, x):
            return nn.functional.avg_pool2d(x, 2)

        def decode(self, z):
            return nn.functional.interpolate(z, scale_factor=2)

    found = latent_counterfactuals(bright, Coarse(), scans, Search(steps=0))
    assert torch.allclose(found.pictures[NEGATIVE], scans)


def test_saliency_is_where_either_class_would_change_the_scan(scans):
    found = latent_counterfactuals(bright, Halver(), scans, Search(steps=20, step_size=0.3, alpha=0.1, enough=1.0))
    map_ = saliency(scans, found.pictures)
    assert map_.shape == scans.shape and map_.min() >= 0 and map_.max() <= 1
    assert map_[:, :, 3:5, 3:5].mean() > 20 * map_[:, :, :2].mean()


def test_each_map_is_scaled_by_its_own_largest_change():
    volume = torch.zeros(1, 1, 1, 2)
    counterfactuals = torch.tensor([[[[[4.0, 0.0]]]], [[[[0.0, 0.1]]]]])
    assert saliency(volume, counterfactuals).flatten().tolist() == pytest.approx([0.5, 0.5])


def test_no_change_is_no_saliency():
    volume = torch.rand(1, 2, 4, 4)
    assert not saliency(volume, volume.repeat(2, 1, 1, 1, 1)).any()


def test_a_step_is_equation_4_and_stays_at_the_scan_where_the_distance_wins():
    z_0, slope = torch.zeros(1, 4), torch.tensor([[4.0, -4.0, 0.5, 0.0]])
    search = Search(step_size=0.5, alpha=4.0)  # alpha / n = 1
    assert torch.equal(stepped(z_0, slope, z_0, search), torch.tensor([[-1.5, 1.5, 0.0, 0.0]]))
    settled = torch.zeros(1, 2)
    for _ in range(200):  # minimises (z - 3)^2 / 2 + |z|, whose minimum is 2, and the same about 0.5, where it is 0
        settled = stepped(
            settled, settled - torch.tensor([[3.0, 0.5]]), torch.zeros(1, 2), Search(step_size=0.1, alpha=2.0)
        )
    assert torch.allclose(settled, torch.tensor([[2.0, 0.0]]), atol=1e-4)
