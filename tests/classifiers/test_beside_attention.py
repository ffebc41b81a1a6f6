"""The classifiers beside ACAT: each starts from the baseline, learns from what its paper lets it see, and all are
measured on the same scans.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.classifiers.beside_attention import (
    NAMES,
    STEERED,
    VIT,
    CompetitorPhase,
    Start,
    measured,
    starting_networks,
)
from engine.classifiers.hsm import HSM
from engine.classifiers.self_attention import SelfAttention
from engine.classifiers.spatial_attention import SpatialAttention
from engine.classifiers.steered import SteeredClassifier, channels_after, modulated
from engine.classifiers.vit import ViT
from engine.methods.acat.network import BACKBONES, Baseline
from engine.methods.acat.train import DEMO, Networks
from engine.reproduce import attention
from engine.training.loop import Machine
from engine.training.presets import with_changes
from tests.datasets.test_stroke_phantom import write_atlas
from tests.methods.acat.small import CHANGES, heads

READ = ("SMIC", "SalClassNet")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    write_atlas(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTHERWISE_CACHE", str(folder / "cache"))
        yield heads(folder)


@pytest.fixture
def start(collection, tmp_path):
    preset = with_changes(DEMO, CHANGES).suited_to(collection)
    torch.manual_seed(0)
    nets = Networks(preset.architecture).eval().requires_grad_(False)
    return Start(collection, preset, nets, tmp_path / "run", 0)


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_what_it_is_shown(name, start, tmp_path):
    fast = replace(start.preset, attention_steps=60, baseline_steps=60, fine_tuning_rate=1e-2)
    phase = CompetitorPhase(name, replace(start, preset=fast))
    fabric, few = Machine("cpu").fabric(tmp_path), start.data.parts["train"][:4]
    phase.chosen = lambda step, count: few  # always the same scans
    losses = [phase.step(step, fabric)["loss"] for step in range(20)]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert all(p.grad is not None for p in phase.net.parameters())


@pytest.mark.parametrize(
    ("name", "backbone"),
    [*((name, backbone) for name in STEERED for backbone in BACKBONES if backbone != "resnet50"), ("SMIC", "resnet50")],
)
def test_each_reads_any_size_and_begins_with_the_baselines_weights(name, backbone):
    sizes = {} if backbone == "resnet50" else {"width": 4}
    half = backbone == "seven_layers"
    baseline = Baseline(backbone, 4 if half else 2, half, **sizes)
    net = STEERED[name][1](backbone, 4 if half else 2, half, **sizes)
    net.start_from(baseline)
    own = net.state_dict()
    for key, value in baseline.state_dict().items():
        assert torch.equal(own[key] if own[key].shape == value.shape else own[key][:, : value.shape[1]], value)
    volume = torch.rand(1, 2, 40, 36)
    with torch.no_grad():
        said = net.eval()(volume, torch.rand_like(volume))
        assert torch.allclose(said.exp().sum(1), torch.ones(1), atol=1e-5)
        if name in ("baseline, trained on as long", "SalClassNet", "SeAtt"):  # they change nothing at the start
            assert torch.allclose(said, baseline.eval()(volume), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_only_those_that_read_maps_depend_on_them(name, start):
    phase = CompetitorPhase(name, start)
    inputs = phase.inputs(start.tested[:2])
    assert len(inputs) == (2 if name in READ else 1)
    if name in READ:
        volume, saliency = inputs
        assert volume.shape == saliency.shape and saliency.min() >= 0 and saliency.max() <= 1
        for parameter in phase.net.parameters():  # SalClassNet's new weights are 0 before the first step
            parameter.data += 0.05
        net = phase.net.eval()
        assert not torch.allclose(net(volume, saliency), net(volume, 1 - saliency))
        with pytest.raises(ValueError, match="saliency map"):
            net(volume)


def test_all_are_measured_on_the_same_scans_and_finished_ones_are_not_trained_again(start, tmp_path, monkeypatch):
    names, machine = ("SMIC", VIT), Machine("cpu")
    assert measured(names, start, tmp_path, machine, train=False) == {}
    rows = measured(names, start, tmp_path, machine, train=True)
    monkeypatch.setattr("engine.training.loop.run", lambda *_, **__: pytest.fail("trained again"))
    assert measured(names, start, tmp_path, machine, train=True) == rows
    slower = replace(start, preset=replace(start.preset, fine_tuning_rate=1e-5))
    assert measured(names, slower, tmp_path, machine, train=False) == {}
    for name in names:
        by_metric = {row.metric: row for row in rows[name] if not row.attribute}
        assert {*by_metric} == {"auc", "accuracy", "sensitivity", "specificity"}
        assert by_metric["accuracy"].sample.pairs_with(
            next(r for r in rows["SMIC"] if r.metric == "accuracy" and not r.attribute).sample
        )
        assert {row.attribute_value for row in rows[name] if row.attribute} <= {*attention.SIZES}


def test_they_start_from_the_run_where_it_is_there_and_from_the_checkpoint_else(start, tmp_path):
    halved = {name: value.half() for name, value in start.nets.state_dict().items()}
    nets = starting_networks(start.preset.architecture, tmp_path / "gone", lambda: halved)
    weights = nets.baseline.state_dict()["stages.0.0.weight"]
    assert torch.equal(weights, halved["baseline.stages.0.0.weight"].float()) and not nets.training


def test_the_modulation_layer_is_worked_out_by_hand():
    features, mask = torch.full((1, 2, 2, 2), 3.0), torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
    assert modulated(features, mask)[0, 1].tolist() == [[3.0, 6.0], [4.5, 3.75]]
    finer = mask.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(modulated(features, finer), modulated(features, mask))


def test_hallucinated_and_own_masks_come_from_the_picture():
    volume = torch.rand(1, 1, 32, 32)
    for network in (HSM, SpatialAttention):
        torch.manual_seed(0)
        net = network("small_resnet", width=4).eval()
        plain = SteeredClassifier("small_resnet", width=4).eval()
        plain.load_state_dict({k: v for k, v in net.state_dict().items() if k in plain.state_dict()})
        assert not torch.allclose(net(volume), plain(volume))


def test_self_attention_is_that_of_sagan():
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 3, 5)
    assert torch.equal(layer(x), x)  # gamma is 0
    layer.gamma.data.fill_(0.7)
    flat = lambda part: part(x).flatten(2)
    query, key, value = (flat(part) for part in (layer.query, layer.key, layer.value))
    beta = torch.einsum("nci,ncj->nij", query, key).softmax(2)  # how much place i takes from every place j
    seen = torch.einsum("nij,ncj->nci", beta, value)
    expected = x + 0.7 * layer.out(seen.unflatten(2, (3, 5)))
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_channels_of_every_stage_are_known():
    for name, backbone in BACKBONES.items():
        stages = backbone() if name == "resnet50" else backbone(4)
        x = torch.rand(2, stages.channels, 64, 64)
        for place, stage in enumerate(stages):
            x = stage(x)
            assert x.shape[1] == channels_after(stages, place)


@pytest.mark.parametrize("size", [32, 64, 100])
def test_a_vision_transformer_has_six_blocks_of_sixteen_heads(size):
    net = ViT(size, 4, 4, half_brain=True).eval()
    blocks = net.body.encoder.layers
    assert len(blocks) == 6 and all(block.self_attention.num_heads == 16 for block in blocks)
    assert torch.allclose(net(torch.rand(2, 3, size, size)).exp().sum(1), torch.ones(2), atol=1e-5)


def test_the_table_asks_for_what_is_measured():
    assert attention.COMPETITORS == NAMES
    assert [training.seed for training in attention.TABLES["acat-stroke"].models.values()] == [42, 43, 44]
    (first,) = attention.TABLES["acat-stroke-first"].models.values()
    assert first == attention.TABLES["acat-stroke"].models[attention.OURS]
