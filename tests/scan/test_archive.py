"""Promises of zip archives: slices come out of them, and whatever asks for more than it is does not."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from engine.scan import UnreadableScan, bounds, read_volume, read_volumes
from tests.scan.files import body, dicom
from tests.scan.series_files import head, series, shuffled

HEAD = head()


def zipped(files: dict[str, bytes], **options) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **{"compression": zipfile.ZIP_DEFLATED} | options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


SLICES = {f"CT/IM{place}": data for place, data in enumerate(shuffled(series(HEAD)))}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_slices_is_a_volume(compression):
    extra = {"__MACOSX/CT/._IM0": b"\0\5\x16\7", "CT/.DS_Store": b"\0\0\0\1Bud1", "CT/Thumbs.db": b"\xd0\xcf\x11\xe0"}
    found = read_volumes(zipped(SLICES | extra, compression=compression))
    assert np.array_equal(found.scans[0].pixels, HEAD) and len(found.scans) == 1 and found.notes == ()


def test_a_zip_with_an_index_and_a_note_is_a_volume():
    with_note = SLICES | {"readme.txt": b"a series of slices\n" * 20}
    found = read_volumes(zipped(with_note))
    assert np.array_equal(found.scans[0].pixels, HEAD) and "text file" in found.notes[0]


def test_a_zip_on_disk_is_read(tmp_path):
    (tmp_path / "series.zip").write_bytes(zipped(SLICES))
    assert np.array_equal(read_volume(tmp_path / "series.zip").pixels, HEAD)


@pytest.mark.parametrize("name", ["../IM1", "CT/../../IM1", "/IM1", "..\\IM1", "C:\\IM1"])
def test_members_that_point_outside_are_refused(name):
    with pytest.raises(UnreadableScan, match="outside"):
        read_volumes(zipped(SLICES | {name: b"x"}))


@pytest.mark.parametrize("name", ["more.zip", "CT/IM99", "more.tar.gz"])
def test_nested_archives_are_refused(name):
    with pytest.raises(UnreadableScan, match="another archive"):
        read_volumes(zipped(SLICES | {name: zipped(SLICES)}))


def test_links_are_refused():
    link = zipfile.ZipInfo("CT/link")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnreadableScan, match="link"):
        read_volumes(out.getvalue())


def deflated_zeros(count: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return megabyte * (count >> 20) + packer.flush()


def bomb(size: int, said: int | None = None, members: int = 1) -> bytes:
    """A zip whose members unfold into `size` bytes each, whatever its list says of them."""
    body, crc = deflated_zeros(size), zlib.crc32(bytes(1 << 16))
    said = size if said is None else said
    local, central = b"", b""
    for number in range(members):
        name = f"IM{number}".encode()
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(body), said, len(name), 0)
        central += b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(local)) + name
        local += b"PK\3\4" + fields + name + body
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, members, members, len(central), len(local), 0)


@pytest.mark.parametrize("data", [lambda: bomb(2 << 30), lambda: bomb(512 << 20, members=4)])
def test_a_zip_bomb_of_2_GB_is_refused(data):
    file = data()
    assert len(file) < 10 << 20
    with pytest.raises(UnreadableScan, match="unfolds into 2147 million bytes"):
        read_volumes(file)


def test_a_zip_bomb_that_lies_is_never_unfolded():
    with pytest.raises(UnreadableScan):
        read_volumes(bomb(2 << 30, said=100_000))


def test_a_list_of_too_many_files_is_refused():
    many = zipped({f"IM{number}": b"" for number in range(bounds.VOLUME_FILES + 1)})
    with pytest.raises(UnreadableScan, match=f"{bounds.VOLUME_FILES + 1} files"):
        read_volumes(many)
    longer = zipped({f"IM{number}": b"" for number in range(45_000)}, compression=zipfile.ZIP_STORED)
    with pytest.raises(UnreadableScan, match="list of files"):
        read_volumes(longer)


def test_damage_and_locks_are_told():
    whole = zipped(SLICES)
    with pytest.raises(UnreadableScan, match="cut off"):
        read_volumes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableScan, match="holds no file"):
        read_volumes(zipped({"CT/.DS_Store": b"x"}))
    locked = bytearray(zipped({"IM1": SLICES["CT/IM1"]}))
    at = locked.rindex(b"PK\1\2")
    locked[at + 8] |= 1
    with pytest.raises(UnreadableScan, match="encrypted"):
        read_volumes(bytes(locked))


def test_one_damaged_member_costs_its_own_slice_only():
    whole = bytearray(zipped(SLICES, compression=zipfile.ZIP_STORED))
    at = whole.index(b"CT/IM4") + 200
    whole[at + 600 : at + 700] = b"\xff" * 100
    (scan,) = (found := read_volumes(bytes(whole))).scans
    assert len(scan.pixels) in (11, 12) and "cannot be unpacked" in found.notes[0]


def test_a_zip_among_other_files_is_left_out_by_name():
    found = read_volumes([zipped(SLICES), dicom(body())])
    assert found.scans[0].pixels.shape == (40, 50) and "zip" in found.notes[0]
