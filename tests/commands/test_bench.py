"""The bench compares like with like, and says what it could not measure."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.commands.bench import bench, shown
from engine.errors import UsageError
from engine.methods.acat import bench as acat_bench
from engine.methods.acat.train import Architecture as AcatArchitecture
from engine.methods.attri_net import bench as attri_net_bench
from engine.methods.attri_net.network import Architecture, AttriNet
from engine.methods.attri_net.produce import tiny
from engine.methods.causal_alignment import bench as causal_alignment_bench
from engine.methods.cx_gan import CxGanMethod
from engine.methods.cx_gan import bench as cx_gan_bench

ROW = {"name", "ours_s", "plain_s", "ratio", "max_difference"}


@pytest.fixture
def narrow(monkeypatch, tmp_path):
    """The same bench with a network and a folder of checkpoints that a test has time for."""
    small = Architecture(size=32, width=4, residual_blocks=1, critic_layers=4, pool=8, code_repeat=4)
    monkeypatch.setattr(attri_net_bench, "Architecture", lambda: small)
    monkeypatch.setattr(attri_net_bench, "FILMS", 2)
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "shipped"))
    return tmp_path / "shipped"


def test_an_unknown_bench_is_refused_by_naming_the_known_ones():
    with pytest.raises(UsageError, match="there are acat, attri-net"):
        bench("attri_net")


def test_every_row_has_the_same_fields_and_the_json_holds_the_table(narrow, tmp_path, capsys):
    tiny(narrow / "attri-net-tiny")
    bench("attri-net", rounds=1, json=tmp_path / "bench.json")
    table, written = capsys.readouterr().out, json.loads((tmp_path / "bench.json").read_text())
    assert written["command"] == "bench" and len(written["rows"]) == 3
    for row in written["rows"]:
        assert set(row) == ROW and row["ours_s"] > 0 and row["name"] in table
        if row["plain_s"] is not None:
            assert row["ratio"] == pytest.approx(row["plain_s"] / row["ours_s"])
            assert row["max_difference"] < 1e-4  # both sides did the same sums


def test_without_a_shipped_checkpoint_the_others_are_measured(narrow, capsys):
    bench("attri-net", rounds=1)
    printed = capsys.readouterr().out
    assert "no Attri-Net checkpoint is shipped" in printed and "one drawn film" in printed


def test_cx_gan_is_measured_on_a_shipped_checkpoint_or_says_that_there_is_none(narrow, monkeypatch, capsys):
    with pytest.raises(UsageError, match="no CX-GAN checkpoint is shipped"):
        bench("cx-gan", rounds=1)
    monkeypatch.setattr(cx_gan_bench, "PICTURES", 3)
    monkeypatch.setattr(cx_gan_bench, "SIDE", 32)
    CxGanMethod().tiny(narrow / "cx-gan-tiny")
    bench("cx-gan", rounds=1)
    assert "3 pictures of 32 x 32 explained, cx-gan-tiny" in capsys.readouterr().out
    (row,), _ = cx_gan_bench.bench(1)
    assert row["max_difference"] < 1e-4  # both sides did the same sums


def test_a_difference_between_the_two_ways_is_reported():
    torch.manual_seed(0)
    net = AttriNet(
        ("Edema", "Effusion"), Architecture(size=32, width=8, residual_blocks=2, critic_layers=4, pool=8, code_repeat=4)
    )
    net.requires_grad_(False)
    torch.nn.init.normal_(net.classifiers.weight, std=3.0)
    picture = np.random.default_rng(0).uniform(-0.9, 0.9, (32, 32)).astype(np.float32)
    exact = attri_net_bench.compared(net, picture, 1, torch.float32)
    rounded = attri_net_bench.compared(net, picture, 1, torch.bfloat16)
    assert exact["max_difference"] < 1e-4 < rounded["max_difference"]


def test_a_number_that_was_not_measured_is_a_dash():
    row = dict.fromkeys(ROW) | {"name": "a film", "ours_s": 0.0125}
    assert shown([row]).splitlines()[1].split() == ["a", "film", "0.013", "-", "-", "-"]


def test_the_alignment_step_ends_nearer_to_the_minimum_than_adam(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(causal_alignment_bench, "BATCH", 4)
    bench("causal-alignment", rounds=1, json=tmp_path / "bench.json")
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert {*row} == ROW | {"gradient_norm", "plain_gradient_norm"}
    assert row["gradient_norm"] <= 2e-6 and row["plain_gradient_norm"] > 30 * row["gradient_norm"]
    assert "100% of the counterfactuals take part" in capsys.readouterr().out


def test_acat_makes_the_same_map_as_the_plain_procedure(monkeypatch, capsys):
    small = AcatArchitecture(size=32, width=4, autoencoder_width=4, latent=2)
    monkeypatch.setattr(acat_bench, "ARCHITECTURE", small)
    monkeypatch.setattr(acat_bench, "SLICES", 3)
    monkeypatch.setattr(acat_bench, "SEARCH", replace(acat_bench.SEARCH, steps=3))
    bench("acat", rounds=1)
    printed = capsys.readouterr().out
    assert "saliency of 3 slices of 32 x 32, small_resnet, 2 x 3 steps, float32" in printed
    alike = dict(re.findall(r"^(\w+): the maps correlate by ([0-9.]+);", printed, re.MULTILINE))
    assert float(alike["float32"]) > 0.999 and min(map(float, alike.values())) > 0.95
    assert printed.count("MB at most") == 1 + len(alike)
