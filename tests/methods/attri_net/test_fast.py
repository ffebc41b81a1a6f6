"""What the app looks with says what the trained network says."""

import pytest
import torch

from engine.methods.attri_net.fast import WIDE, FastAttriNet, suited_precision
from engine.methods.attri_net.network import Architecture, AttriNet

CPU = torch.device("cpu")
SMALL = {"size": 32, "residual_blocks": 2, "critic_layers": 4, "pool": 8, "code_repeat": 4}
FINDINGS = ("Edema", "Effusion", "Atelectasis")


def network(width: int = 8, seed: int = 0) -> AttriNet:
    torch.manual_seed(seed)
    net = AttriNet(FINDINGS, Architecture(width=width, **SMALL)).requires_grad_(False)
    torch.nn.init.normal_(net.classifiers.weight)
    for name, weight in net.generator.named_parameters():
        if "style.bias" in name:
            torch.nn.init.normal_(weight, 1.0, 0.3)
    return net


def pictures(count: int = 3, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 8, 8, generator=draw)
    return torch.nn.functional.interpolate(coarse, size=32, mode="bilinear") * 1.8 - 0.9


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_float32_it_is_the_trained_network(seed, layout):
    net = network(seed=seed)
    x = pictures()
    maps, logits = net.every_task(x)
    ours, our_logits = FastAttriNet(net.to(memory_format=layout)).every_task(x.to(memory_format=layout))
    torch.testing.assert_close(ours, maps, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.sigmoid(our_logits), torch.sigmoid(logits), atol=1e-5, rtol=0)
    assert maps.std() > 0.05 and logits.std() > 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_bfloat16_probabilities_stay_within_a_hundredth(seed):
    net = network(WIDE, seed)
    x = pictures()
    maps, logits = net.every_task(x)
    ours, our_logits = FastAttriNet(net, torch.bfloat16).every_task(x)
    assert ours.dtype == our_logits.dtype == torch.float32
    assert (torch.sigmoid(our_logits) - torch.sigmoid(logits)).abs().max() < 0.01
    assert (ours - maps).abs().mean() < 0.05 * maps.abs().mean()


def test_one_finding_is_one_column_of_all():
    fast, x = FastAttriNet(network()), pictures()
    maps, logits = fast.every_task(x)
    for c in range(len(FINDINGS)):
        for opened in (None, fast.opened(x)):
            one, logit = fast.task(x, c, opened)
            torch.testing.assert_close(one[:, 0], maps[:, c])
            torch.testing.assert_close(logit, logits[:, c])


def test_what_is_shared_between_findings_is_not_written_to():
    fast, x = FastAttriNet(network()), pictures()
    opened = fast.opened(x)
    before = opened.clone()
    fast.task(x, 0, opened)
    torch.testing.assert_close(opened, before, atol=0, rtol=0)


def test_narrow_networks_keep_float32_and_so_does_cuda():
    assert suited_precision(CPU, Architecture(width=WIDE // 2)) is torch.float32
    assert suited_precision(torch.device("cuda"), Architecture()) is torch.float32


@pytest.mark.parametrize(
    ("has", "precision"),
    [({"amx_bf16": True}, torch.bfloat16), ({"amx_bf16": False}, torch.float32), ({}, torch.float32)],
)
def test_bfloat16_is_for_processors_that_have_it(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert suited_precision(CPU, Architecture()) is precision


def test_a_torch_that_cannot_say_what_the_processor_has_gets_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert suited_precision(CPU, Architecture()) is torch.float32
