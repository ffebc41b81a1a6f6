"""Attri-Net's networks: the paper's sizes, and a generator that can say "no change"."""

import copy

import pytest
import torch

from engine.methods.attri_net.network import AdaIN, Architecture, AttriNet, Centres, Classifiers, Critic, Generator

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")
SMALL = Architecture(size=32, width=4, residual_blocks=2, critic_layers=4, pool=8, code_repeat=4)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture
def generator():
    """A small generator with random weights."""
    torch.manual_seed(0)
    return Generator(3, SMALL)


def pictures(batch=2, size=32, value_range=0.9, seed=1):
    return (torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * value_range


def test_the_defaults_have_the_parameters_that_the_paper_counts():
    with torch.device("meta"):
        net, critic = AttriNet(FIVE, Architecture()), Critic(5, Architecture())
    assert count(net.generator) == 9_225_504
    assert count(critic) == 45_610_272
    assert count(net.classifiers) == 505
    assert net.centres.value.numel() == 1_024_000
    assert count(net) + count(critic) + net.centres.value.numel() == 55_860_281  # 55.86 M in Sun et al. 2025


def test_an_output_of_zero_is_exactly_no_change_on_the_brightest_and_darkest_pixels_too(generator):
    torch.nn.init.zeros_(generator.last.weight)
    x = pictures()
    x[0, 0, :8] = 0.9
    x[1, 0, :8] = -0.9
    assert generator(x, torch.tensor([0, 2])).abs().max() < 2e-7


@pytest.mark.parametrize("scale", [0.1, 3.0, 50.0])
def test_the_counterfactual_stays_inside_the_range_of_pictures(generator, scale):
    torch.nn.init.normal_(generator.last.weight, std=scale)
    x = pictures(value_range=0.9)
    counterfactual = x + generator(x, torch.tensor([0, 1]))
    assert counterfactual.abs().max() <= 1
    assert torch.isfinite(counterfactual).all()


def test_pixels_at_the_very_ends_of_the_range_give_finite_maps_and_gradients(generator):
    x = torch.ones(1, 1, 32, 32)
    x[..., ::2] = -1
    change = generator(x, torch.tensor([1]))
    change.square().sum().backward()
    assert torch.isfinite(change).all()
    assert all(
        torch.isfinite(parameter.grad).all() for parameter in generator.parameters() if parameter.grad is not None
    )


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [32, 48])
def test_a_map_has_the_shape_of_its_picture(generator, batch, size):
    assert generator(pictures(batch, size), torch.zeros(batch, dtype=torch.long)).shape == (batch, 1, size, size)


def test_every_parameter_of_generator_and_critic_is_reached_by_the_gradient(generator):
    x, task = pictures(3), torch.tensor([0, 1, 2])
    critic = Critic(3, SMALL)
    critic(x + generator(x, task), task).sum().backward()
    for module in (generator, critic):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_another_task_gives_another_map_and_another_score(generator):
    x = pictures(1)
    first, second = generator(x, torch.tensor([0])), generator(x, torch.tensor([1]))
    assert (first - second).abs().max() > 1e-4
    critic = Critic(3, SMALL)
    assert abs(critic(x, torch.tensor([0])) - critic(x, torch.tensor([1]))).item() > 1e-6


def test_a_picture_is_explained_alike_alone_and_in_a_batch(generator):
    x, task = pictures(4), torch.tensor([2, 0, 1, 0])
    together = generator(x, task)
    alone = torch.cat([generator(x[i : i + 1], task[i : i + 1]) for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_every_task_is_the_single_tasks_side_by_side():
    torch.manual_seed(0)
    net = AttriNet(("a", "b", "c"), SMALL)
    torch.nn.init.normal_(net.generator.last.weight, std=0.1)
    torch.nn.init.normal_(net.classifiers.weight)
    x = pictures()
    maps, logits = net.every_task(x)
    assert maps.shape == (2, 3, 32, 32) and logits.shape == (2, 3)
    for c in range(3):
        one, logit = net(x, torch.full((2,), c))
        assert torch.equal(maps[:, c : c + 1], one) and torch.equal(logits[:, c], logit)


def test_a_picture_without_structure_gets_no_frame_along_its_border(generator):
    """Reflection keeps a flat picture flat down to the grid before the transposed convolutions; zero
    padding does not.
    """
    flat, embedding = torch.full((1, 1, 32, 32), 0.3), generator.embedding(torch.tensor([1]))
    for layer in (*generator.down, *generator.blocks):
        flat = layer(flat, embedding)
        assert (flat.amax(dim=(2, 3)) - flat.amin(dim=(2, 3))).max() < 1e-3


def test_adaptive_instance_norm_normalises_each_channel_and_the_task_sets_its_scale_and_shift():
    torch.manual_seed(0)
    norm = AdaIN(6, 5)
    embedding = torch.randn(2, 5)
    out = norm(7 + 3 * torch.randn(2, 6, 16, 16), embedding)
    scale, shift = norm.style(embedding).chunk(2, dim=1)
    assert torch.allclose(out.mean(dim=(2, 3)), shift, atol=1e-5)
    assert torch.allclose(out.std(dim=(2, 3), correction=0), scale.abs(), rtol=1e-3)
    neutral = norm(torch.randn(1, 6, 16, 16), torch.zeros(1, 5))
    assert torch.allclose(neutral.std(dim=(2, 3), correction=0), torch.ones(1, 6), rtol=1e-3)


def test_networks_can_be_copied_after_they_have_been_used():
    net = AttriNet(("a", "b"), SMALL)
    x, task = pictures(), torch.tensor([0, 1])
    before = net(x, task)[1]
    twin = copy.deepcopy(net)
    assert torch.equal(twin(x, task)[1], before)
    with torch.no_grad():
        twin.classifiers.bias += 1
    assert torch.equal(net(x, task)[1], before)


def test_log_odds_are_the_sum_of_the_cell_means_of_the_weighted_map_and_the_bias():
    torch.manual_seed(0)
    classifiers = Classifiers(3, SMALL)
    torch.nn.init.normal_(classifiers.weight)
    torch.nn.init.normal_(classifiers.bias)
    maps, task = torch.randn(4, 1, 32, 32), torch.tensor([0, 1, 2, 1])
    weighted = classifiers.weighted(maps, task)
    assert weighted.shape == maps.shape
    cells = torch.nn.functional.avg_pool2d(weighted, SMALL.pool).sum(dim=(1, 2, 3))
    assert torch.allclose(cells + classifiers.bias[task], classifiers(maps, task), atol=1e-5)


def test_untrained_classifiers_take_a_removed_opacity_as_evidence_and_no_change_as_none():
    classifiers, task = Classifiers(2, SMALL), torch.tensor([0, 1])
    assert torch.equal(classifiers(torch.zeros(2, 1, 32, 32), task), torch.zeros(2))
    assert (classifiers(torch.full((2, 1, 32, 32), -0.1), task) > 0).all()


def test_centres_move_towards_the_mean_of_the_batch_by_the_rate():
    centres = Centres(3, SMALL)
    centres.value.fill_(1.0)
    maps = torch.stack([torch.full((1, 32, 32), v) for v in (3.0, 5.0, 9.0, 11.0)])
    task, present = torch.tensor([0, 0, 0, 2]), torch.tensor([1, 1, 0, 1])
    centres.update(maps, task, present, rate=0.1)
    assert torch.allclose(centres.value[0, 1], torch.tensor(1 + 0.1 * (4 - 1)))  # the mean of 3 and 5
    assert torch.allclose(centres.value[0, 0], torch.tensor(1 + 0.1 * (9 - 1)))
    assert torch.allclose(centres.value[2, 1], torch.tensor(1 + 0.1 * (11 - 1)))
    untouched = [centres.value[2, 0], *centres.value[1]]
    assert all(torch.equal(part, torch.ones(32, 32)) for part in untouched)


def test_centres_travel_with_the_weights_and_take_no_gradient():
    net = AttriNet(("a",), SMALL)
    assert "centres.value" in net.state_dict()
    assert not any("centres" in name for name, _ in net.named_parameters())


def test_the_smallest_picture_that_is_promised_works():
    for layers in (3, 4, 5):
        smallest = 2 ** (layers - 1) * 2 + 8
        sizes = Architecture(size=smallest, width=2, critic_layers=layers, pool=smallest, code_repeat=2)
        assert Critic(2, sizes)(pictures(2, smallest), torch.tensor([0, 1])).shape == (2,)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"size": 64, "pool": 8}, "needs pictures of 72 pixels or more, got 64"),
        ({"size": 96, "pool": 10}, "multiple of 4 and of pool"),
        ({"size": 90, "pool": 9}, "multiple of 4 and of pool"),
        ({"pool": 0}, "pool must be a whole number above 0"),
        ({"width": -4}, "width must be a whole number above 0"),
        ({"size": 96.0}, "size must be a whole number above 0"),
    ],
)
def test_sizes_that_cannot_work_are_refused_in_a_sentence(sizes, words):
    with pytest.raises(ValueError, match=words):
        Architecture(**sizes)
