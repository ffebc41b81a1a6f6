"""Enlarging by resizing: shapes, old checkpoints keep theirs, and the arranged networks say what the
trained ones say.
"""

import numpy as np
import pytest
import torch

from engine.datasets.chestxray8 import ChestXray8
from engine.methods.attri_net.fast import FastAttriNet
from engine.methods.attri_net.network import Architecture, AttriNet, Generator
from engine.methods.attri_net.train import PRESETS
from engine.methods.cx_gan import network as cx_gan
from engine.methods.cx_gan.fast import FastMapGenerator
from engine.methods.va_gan import train as va_gan
from engine.metrics.stride_energy import stride_energy
from engine.networks.enlarging import ResizeConvolution
from engine.preprocessing import Preprocessing
from engine.training.presets import with_changes
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "nih1000"
SMALL = {"size": 32, "width": 8, "residual_blocks": 1, "critic_layers": 4, "pool": 8, "code_repeat": 4}


def test_every_pixel_goes_through_the_same_taps():
    layer = ResizeConvolution(1, 1)
    flat = layer(torch.ones(1, 1, 6, 6))
    assert flat.shape == (1, 1, 12, 12) and torch.allclose(flat, flat[..., :1, :1], atol=1e-6)


def test_a_configuration_without_the_word_is_the_paper_s():
    assert Architecture(**SMALL) == Architecture(**SMALL, upsampling="transposed")
    assert isinstance(AttriNet(("A",), Architecture(**SMALL)).generator.up[0].layer, torch.nn.ConvTranspose2d)
    assert va_gan.Architecture(size=32).upsampling == "transposed"


def test_the_command_line_chooses_and_other_words_are_refused():
    assert with_changes(PRESETS["demo"], {"upsampling": "resized"}).architecture.upsampling == "resized"
    for sizes in (Architecture, va_gan.Architecture):
        with pytest.raises(ValueError, match="upsampling must be one of transposed, resized, got 'nearest'"):
            sizes(upsampling="nearest")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_arranged_attri_net_says_what_the_trained_one_says(layout):
    torch.manual_seed(0)
    net = (
        AttriNet(("A", "B"), Architecture(**SMALL, upsampling="resized")).requires_grad_(False).to(memory_format=layout)
    )
    x = torch.rand(2, 1, 32, 32) * 1.8 - 0.9
    maps, logits = net.every_task(x)
    ours, our_logits = FastAttriNet(net).every_task(x.to(memory_format=layout))
    torch.testing.assert_close(ours, maps, atol=1e-4, rtol=0)
    torch.testing.assert_close(our_logits, logits, atol=1e-4, rtol=0)
    assert maps.std() > 0.05


def test_the_folded_va_gan_says_what_the_trained_one_says():
    torch.manual_seed(0)
    net = va_gan.MapGenerator(va_gan.Architecture(size=32, width=4, upsampling="resized")).eval().requires_grad_(False)
    x = torch.rand(2, 1, 32, 48) * 1.8 - 0.9
    torch.testing.assert_close(va_gan.folded(net)(x), net(x), atol=2e-6, rtol=0)


def test_the_arranged_cx_gan_says_what_the_trained_one_says():
    torch.manual_seed(0)
    sizes = cx_gan.Architecture(size=32, width=4, levels=3, critic_width=4, upsampling="bilinear")
    net = cx_gan.MapGenerator(sizes).eval().requires_grad_(False)
    torch.nn.init.normal_(net.last[-1].weight, std=0.2)
    x = torch.rand(2, 1, 32, 48) * 1.8 - 0.9
    plain = net(x)
    assert plain.std() > 0.02
    torch.testing.assert_close(FastMapGenerator(net)(x), plain, atol=1e-5, rtol=0)
    other = cx_gan.MapGenerator(cx_gan.Architecture(size=32, width=4, levels=3, critic_width=4))
    other.load_state_dict(net.state_dict())
    assert not torch.allclose(other(x), plain, atol=1e-3)  # the word is what decides
    with pytest.raises(ValueError, match="upsampling must be one of nearest, bilinear"):
        cx_gan.Architecture(upsampling="transposed")


def attri_net(upsampling):
    generator = Generator(1, Architecture(size=112, width=8, pool=14, residual_blocks=2, upsampling=upsampling))
    return lambda x: generator(x, torch.zeros(len(x), dtype=torch.long))


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real films are not at {REAL}")
@pytest.mark.parametrize(
    ("make", "marked", "clean"),
    [
        (attri_net, "transposed", "resized"),
        (lambda word: va_gan.MapGenerator(va_gan.Architecture(112, 8, word)).eval(), "transposed", "resized"),
        (lambda word: cx_gan.MapGenerator(cx_gan.Architecture(112, 8, 4, 8, word)), "nearest", "bilinear"),
    ],
    ids=["Attri-Net", "VA-GAN", "CX-GAN"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_maps_of_real_films_have_no_grid_of_the_network(make, marked, clean, seed):
    films, prep = ChestXray8(REAL), Preprocessing(112)
    x = np.stack([prep.apply(films.image(int(i), 112)) for i in films.split("test")[:24]])
    found = {}
    for word in (marked, clean):
        torch.manual_seed(seed)
        with torch.no_grad():
            maps = make(word)(torch.from_numpy(x)[:, None])[:, 0].numpy()
        found[word] = stride_energy(maps, x, draws=20).value
    assert found[clean] < 1.35 and found[marked] > 1.4 * found[clean]
