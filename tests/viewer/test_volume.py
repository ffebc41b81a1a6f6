"""Promises of volumes on their way to the browser: every slice by itself, in its own units."""

import numpy as np
import pytest

from tests.test_viewer import finding
from viewer import FindingView, VolumePixels, VolumePlace, explain_parts
from viewer.blob import unpacked
from viewer.volume import MapVolume

WINDOW = (40.0, 400.0)
AFFINE = np.array([[0, 0, 0.7, -100], [0, 0.7, 0, -90], [2, 0, 0, 5], [0, 0, 0, 1]], float)


def voxels(rng=None, shape=(5, 7, 6)):
    return (rng or np.random.default_rng(3)).integers(-1024, 3000, shape).astype(np.float32)


def slices_of(volume):
    return np.stack(
        [
            unpacked(
                {"dtype": volume.dtype, "shape": volume.shape[1:], "scale": volume.scale, "zero": volume.zero},
                volume.part(k),
            )
            for k in range(len(volume))
        ]
    )


@pytest.mark.parametrize("packed", [True, False])
def test_every_slice_arrives_exactly_where_its_values_are_whole(packed):
    pixels = voxels()
    stored = (pixels + 1024).astype(np.uint16) if packed else pixels
    volume = VolumePixels.of(stored, -1024.0 if packed else 0.0, "a")
    assert np.array_equal(slices_of(volume), pixels)
    assert (volume.low, volume.high) == (pixels.min(), pixels.max())


def test_other_values_share_one_scale_over_all_slices():
    pixels = np.random.default_rng(1).normal(0, 1e-3, (4, 5, 6)).astype(np.float32)
    volume = VolumePixels.of(pixels, 0.0, "a")
    assert np.abs(slices_of(volume) - pixels).max() <= (pixels.max() - pixels.min()) / 65535


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5)])
def test_a_map_and_a_change_come_slice_by_slice_with_all_their_frames(shape):
    values = np.random.default_rng(2).normal(0, 40, shape).astype(np.float32)
    for dtype, loss in (("f4", 0.0), ("i2", np.abs(values).max() / 32767)):
        volume = MapVolume(values, dtype)
        assert len(volume) == 3
        for k in range(3):
            plane = np.frombuffer(volume.part(k), f"<{dtype}").reshape(values[..., k, :, :].shape) * volume.scale
            assert np.abs(plane - values[..., k, :, :]).max() <= loss
    values[...] = 0
    assert not np.frombuffer(MapVolume(values, "i2").part(0), "<i2").any()


def test_the_header_says_how_a_volume_lies_and_sends_none_of_its_voxels():
    volume = VolumePixels.of(voxels(), 0.0, "sha")
    place = VolumePlace((2.0, 0.7, None), AFFINE, index=2)
    packer, header = explain_parts(volume, WINDOW, [], title="CT", volume=place, key="k")
    entries, chunks = packer.arrays()
    assert header["frame"] == [7, 6] and header["volume"]["shape"] == [5, 7, 6] and header["volume"]["index"] == 2
    assert header["volume"]["spacing_mm"] == [2.0, 0.7, None] and header["volume"]["affine"] == AFFINE.tolist()
    assert entries[header["scan"]]["parts"] == 5 and entries[header["scan"]]["digest"] == "sha"
    assert chunks == [volume], "its slices are written when they are asked for"
    assert header["presets"][1][1:] == [(volume.low + volume.high) / 2, volume.high - volume.low]


def test_findings_of_a_volume_are_sent_as_volumes_and_those_of_a_slice_as_pictures():
    volume = VolumePixels.of(voxels(), 0.0, "sha")
    whole = finding(grid=(3, 8, 6))
    packer, header = explain_parts(volume, WINDOW, [whole], title="CT", key="k")
    entries, _ = packer.arrays()
    said = header["findings"][0]
    assert entries[said["evidence"]]["shape"] == [3, 8, 6] and entries[said["evidence"]]["parts"] == 3
    assert entries[said["changes"]]["shape"] == [4, 3, 8, 6] and entries[said["changes"]]["parts"] == 3
    place = VolumePlace(index=1, findings_of_slice=True)
    packer, header = explain_parts(volume, WINDOW, [finding()], title="CT", volume=place, key="k")
    assert "parts" not in packer.arrays()[0][header["findings"][0]["evidence"]]


def test_what_cannot_be_is_refused_with_a_sentence():
    volume = VolumePixels.of(voxels(), 0.0, "sha")
    whole = finding(grid=(3, 8, 6))
    for pixels, findings, place, words in (
        (volume, [finding()], None, "findings of a volume belong to a volume"),
        (volume, [whole], VolumePlace(findings_of_slice=True), "or to a slice"),
        (voxels()[0], [whole], None, "belong to a volume"),
        (volume, [], VolumePlace(index=5), "slice 5 of a volume of 5"),
        (voxels(), [], None, "pixels must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            explain_parts(pixels, WINDOW, findings, title="CT", volume=place, key="k")
    with pytest.raises(ValueError, match="a volume must be"):
        VolumePixels.of(voxels()[0], 0.0, "sha")
    with pytest.raises(ValueError, match="grid of its evidence"):
        FindingView(
            **{**{name: getattr(whole, name) for name in whole.__dataclass_fields__}, "changes": whole.changes[..., 1:]}
        )
