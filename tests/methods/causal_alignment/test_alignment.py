"""One alignment term: the gradient of Eq. 3 through the classifier's own counterfactuals, and who takes part in it."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from engine.methods.causal_alignment.alignment import DISTANCES, InnerProblem, align
from engine.methods.causal_alignment.losses import alignment_loss, outside_share
from engine.methods.causal_alignment.network import Architecture, CausalAlignmentNetwork

EXACT = {"tolerance": 1e-7, "iterations": 3000, "solves": 400, "residual": 1e-9}


def classifier(seed=0, attributes=3, size=16):
    torch.manual_seed(seed)
    net = CausalAlignmentNetwork(attributes, Architecture(size=size, width=4, halvings=2, hidden=6)).double()
    with torch.no_grad():
        net.image.last.weight.mul_(4)
        net.image.attention.weight.normal_(std=0.5)
    return net


def pictures(seed=0, size=16, count=3):
    torch.manual_seed(100 + seed)
    x = torch.rand(count, 1, size, size, dtype=torch.float64) * 1.6 - 0.8
    region = torch.zeros_like(x)
    region[..., size // 4 : size // 2, size // 4 : 3 * size // 4] = 1
    return x, region


def image_level(net, x, region, problem, relative):
    wanted = torch.tensor([[0.2, 0.9, 0.4]] * len(x), dtype=torch.float64)

    def cross_entropy(points, rows):
        attributes, odds = net(points)
        if net.diagnosis is None:
            return bce(odds, torch.ones_like(odds), reduction="none")
        return bce(attributes, wanted[rows], reduction="none").sum(1)

    return align(cross_entropy, x, region, problem, relative)


def attribute_level(net, x, region, problem, relative):
    a = torch.linspace(0.1, 0.9, 12, dtype=torch.float64).view(4, 3)
    causal = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1]], dtype=torch.float64)

    def cross_entropy(values, rows):
        odds = net.diagnose(values)
        return bce(odds, torch.zeros_like(odds), reduction="none")

    return align(cross_entropy, a, causal, problem, relative)


@pytest.mark.parametrize("distance", ["squared_l2", "scaled_squared_l2"])
@pytest.mark.parametrize(
    ("level", "attributes", "seed", "relative"),
    [
        (image_level, 0, 0, True),
        (image_level, 0, 1, False),
        (image_level, 3, 2, True),
        (attribute_level, 3, 0, True),
        (attribute_level, 3, 3, False),
    ],
)
def test_the_gradient_is_that_of_finite_differences_in_8_directions(level, attributes, seed, relative, distance):
    net, (x, region) = classifier(seed, attributes), pictures(seed)
    problem = InnerProblem(0.2, distance, scale=scale_of(distance, x, level), **EXACT)
    term = checked(net, lambda: level(net, x, region, problem, relative))
    assert term.solves.indefinite == 0


def test_the_gradient_of_l1_is_that_of_its_active_set():
    """Of attributes; of latents see test_latent.py, and of an l1 with more to hold it test_implicit.py."""
    net, (x, region) = classifier(0, 3), pictures()
    problem = InnerProblem(0.05, "l1", damping=1e-9, **EXACT | {"tolerance": 1e-9})
    term = checked(net, lambda: attribute_level(net, x, region, problem, False))
    assert float(term.loss.detach()) > 0


def scale_of(distance, x, level):
    shape, generator = x.shape[1:] if level is image_level else (3,), torch.Generator().manual_seed(0)
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5 if distance.startswith("scaled") else None


def checked(net, term_of, step=1e-6):
    """The term, its gradient compared with central finite differences of the whole inner problem."""
    term = term_of()
    assert term.arrived == 1 and term.gradient_norm <= 1e-7
    parameters = list(net.parameters())
    gradients = torch.autograd.grad(term.loss, parameters, allow_unused=True)
    assert term.solves.residual <= 1e-9
    for k in range(8):
        generator = torch.Generator().manual_seed(k)
        direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        ours = sum(float((g * d).sum()) for g, d in zip(gradients, direction) if g is not None)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                for p, d in zip(parameters, direction):
                    p.add_(sign * step * d)
            values.append(float(term_of().loss.detach()))
            with torch.no_grad():
                for p, d in zip(parameters, direction):
                    p.sub_(sign * step * d)
        assert ours == pytest.approx((values[0] - values[1]) / (2 * step), rel=0.01, abs=1e-7)
    return term


def test_counterfactuals_that_have_not_arrived_take_no_part():
    net, (x, region) = classifier(), pictures()
    none = image_level(net, x, region, InnerProblem(0.001, tolerance=1e-12, iterations=1), True)
    assert none.arrived == 0 and float(none.loss) == 0 and not none.loss.requires_grad
    easy = torch.cat([x[:1], x[1:2] * 0 + 5])
    wanted = torch.sigmoid(net(easy)[0]).detach()  # the second is where it wants to be already
    wanted[0] = 1 - wanted[0]

    def cross_entropy(points, rows):
        return bce(net(points)[0], wanted[rows], reduction="none").sum(1)

    some = align(cross_entropy, easy, region[:2], InnerProblem(0.02, tolerance=1e-9, iterations=1))
    assert some.arrived == 0.5 and some.gradient_norm <= 1e-9


def test_descending_the_term_moves_the_change_into_the_region():
    net, (x, region) = classifier(0, 0), pictures()
    net, x, region = net.float(), x.float(), region.float()
    optimiser, shares = torch.optim.Adam(net.parameters(), 3e-3), []
    for _ in range(30):
        term = image_level(net, x, region, InnerProblem(0.2, tolerance=1e-3, iterations=60), True)
        shares.append(term.share)
        optimiser.zero_grad()
        term.loss.backward()
        optimiser.step()
    assert shares[-1] < 0.7 * shares[0]


def test_a_term_is_freed_with_its_graph():
    import gc
    import weakref

    net, (x, region) = classifier(), pictures()
    term = image_level(net, x, region, InnerProblem(0.2, tolerance=1e-3), True)
    term.loss.backward()
    held = weakref.ref(term.loss)
    gc.disable()
    try:
        del term
        assert held() is None
        before = sum(type(o) is torch.Tensor for o in gc.get_objects())
        for _ in range(3):
            image_level(net, x, region, InnerProblem(0.2, tolerance=1e-3), True).loss.backward()
        assert sum(type(o) is torch.Tensor for o in gc.get_objects()) == before
    finally:
        gc.enable()


def test_l1_reaches_its_minimum_with_few_elements_changed():
    net, (x, region) = classifier(), pictures()
    problem = InnerProblem(0.02, "l1", tolerance=1e-5, iterations=3000, damping=1e-2)
    term = image_level(net, x, region, problem, False)
    term.loss.backward()
    assert term.arrived == 1 and all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_the_share_outside_is_worked_out_by_hand():
    x, mask = torch.zeros(2, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 2)
    change = torch.tensor([[3.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert float(outside_share(change, x, mask, least=0.0 + 1e-9)) == pytest.approx((0.25 + 0) / 2)
    assert float(alignment_loss(change, x, mask)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"distance": "l3"}, ", ".join(DISTANCES)),
        ({"distance": "scaled_l1", "damping": 0.1}, "needs the scale"),
        ({"distance": "l1"}, "has no curvature"),
    ],
)
def test_problems_that_cannot_be_solved_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        InnerProblem(0.1, **fields)
