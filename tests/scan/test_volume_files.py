"""Promises of NIfTI, NRRD and MetaImage: however their axes run, the volume lies the same way; and what is refused."""

from __future__ import annotations

import gzip
import itertools
import struct
import zlib

import nibabel
import numpy as np
import pytest

from engine.scan import UnreadableScan, bounds, read_scan, read_volume, read_volumes
from engine.scan.volume_scan import TAKEN_FOR_CT
from tests.places import REAL_SCANS
from tests.scan.files import png
from tests.scan.series_files import head, series

HEAD = head(18, 20, 24)  # slices to the head, rows to the back, columns to the left
SPACING = (2.5, 0.8, 0.6)
CORNER = np.array([-12.0, -40.0, 70.0])  # of the first voxel, in millimetres (LPS)
AFFINE = np.array(
    [[0, 0, SPACING[2], CORNER[0]], [0, SPACING[1], 0, CORNER[1]], [SPACING[0], 0, 0, CORNER[2]], [0, 0, 0, 1]]
)
TURNS = [(axes, flips) for axes in itertools.permutations(range(3)) for flips in itertools.product((1, -1), repeat=3)]
RAS = np.diag([-1, -1, 1, 1])


def turned(axes, flips):
    """(array (I, J, K), (4, 4) from (i, j, k, 1) to LPS) of HEAD with its axes in this order and direction."""
    array = HEAD.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]
    affine = np.eye(4)
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[:3, new] = flip * AFFINE[:3, old]
        if flip < 0:
            affine[:3, 3] += AFFINE[:3, old] * (HEAD.shape[old] - 1)
    affine[:3, 3] += CORNER
    return array, affine


def nifti(array, affine, kind=nibabel.Nifti1Image):
    return kind(np.ascontiguousarray(array), RAS @ affine).to_bytes()


def numbers(vector):
    return " ".join(f"{number:.10g}" for number in vector)


def nrrd(array, affine, encoding="raw", space="left-posterior-superior", extra="", turn=RAS[:3, :3] @ RAS[:3, :3]):
    directions = " ".join(f"({','.join(f'{number:.10g}' for number in turn @ affine[:3, axis])})" for axis in range(3))
    origin = ",".join(f"{number:.10g}" for number in turn @ affine[:3, 3])
    voxels = array.astype("<i2").tobytes(order="F")
    header = (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: {space}\nsizes: {numbers(array.shape)}\n"
        f"space directions: {directions}\n"
        f"kinds: domain domain domain\nendian: little\nencoding: {encoding}\nspace origin: ({origin})\n{extra}\n"
    )
    return header.encode() + (gzip.compress(voxels) if encoding == "gzip" else voxels)


def metaimage(array, affine, file="LOCAL", packed=False, extra=""):
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    voxels = array.astype("<i2").tobytes(order="F")
    voxels = zlib.compress(voxels) if packed else voxels
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
        + (f"CompressedDataSize = {len(voxels)}\n" if packed else "")
        + f"TransformMatrix = {numbers((affine[:3, :3] / lengths).T.reshape(-1))}\nOffset = {numbers(affine[:3, 3])}\n"
        f"ElementSpacing = {numbers(lengths)}\nDimSize = {numbers(array.shape)}\n{extra}ElementType = MET_SHORT\n"
        f"ElementDataFile = {file}\n"
    )
    return header.encode() + voxels if file == "LOCAL" else (header.encode(), voxels)


@pytest.mark.parametrize("write", [nifti, nrrd, metaimage])
def test_all_48_ways_in_which_axes_can_run_give_the_same_volume(write):
    for axes, flips in TURNS:
        scan = read_volume(write(*turned(axes, flips)), in_process=True)
        assert np.array_equal(scan.pixels, HEAD), (axes, flips)
        assert np.allclose(scan.affine, AFFINE, atol=1e-4), (axes, flips)
        assert scan.spacing_mm == pytest.approx(SPACING, rel=1e-5)


FORMS = {
    "nii": nifti,
    "nii.gz": lambda *a: gzip.compress(nifti(*a)),
    "NIfTI-2": lambda *a: nifti(*a, kind=nibabel.Nifti2Image),
    "nrrd": nrrd,
    "nrrd gzip": lambda *a: nrrd(*a, encoding="gzip"),
    "nrrd RAS": lambda *a: nrrd(*a, space="right-anterior-superior", turn=RAS[:3, :3]),
    "mha": metaimage,
    "mha packed": lambda *a: metaimage(*a, packed=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_by_a_worker(form):
    data = FORMS[form](*turned((2, 0, 1), (1, -1, 1)))
    for scan in (read_volume(data), read_volume([("scan", data)])):
        assert np.array_equal(scan.pixels, HEAD) and np.allclose(scan.affine, AFFINE, atol=1e-4)
        assert scan.kind == "CT" and scan.remarks == (TAKEN_FOR_CT,)


def test_a_scale_is_applied():
    image = nibabel.Nifti1Image(HEAD.transpose(2, 1, 0).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 7)
    data = bytearray(image.to_bytes())
    data[112:120] = struct.pack("<ff", 0.5, 7)
    data[352:] = HEAD.transpose(2, 1, 0).astype("<i2").tobytes(order="F")
    pixels = read_volume(bytes(data)).pixels
    assert np.allclose(np.sort(pixels.reshape(-1)), np.sort((HEAD * 0.5 + 7).reshape(-1)))


@pytest.mark.parametrize("dtype", [">i2", "u1", "<i4", "<f4", "<f8"])
def test_voxels_of_every_type(dtype):
    values = (HEAD - HEAD.min()) // 8 if dtype == "u1" else HEAD
    image = nibabel.Nifti1Image(
        values.transpose(2, 1, 0).astype(dtype), RAS @ turned((2, 1, 0), (1, 1, 1))[1], dtype=np.dtype(dtype)
    )
    assert np.array_equal(read_volume(image.to_bytes()).pixels, values)


def test_a_file_that_does_not_say_its_sides_has_no_place_in_the_patient_and_says_so():
    image = nibabel.Nifti1Image(HEAD.transpose(2, 1, 0), None)
    image.header.set_zooms((0.6, 0.8, 2.5))
    scan = read_volume(image.to_bytes())
    assert scan.affine is None and scan.spacing_mm == pytest.approx(SPACING)
    assert "the file does not say which side is left" in scan.remarks


def test_sides_unknown_in_nrrd_and_metaimage():
    array, affine = turned((2, 1, 0), (1, 1, 1))
    plain = b"\n".join(
        line for line in metaimage(array, affine).split(b"\n", 12) if not line.startswith(b"TransformMatrix")
    )
    for data in (nrrd(array, affine).replace(b"left-posterior-superior", b"3D-right-handed"), plain):
        scan = read_volume(data)
        assert scan.affine is None and "which side is left" in scan.remarks[0]
        assert scan.pixels.shape == HEAD.shape


def test_a_header_and_its_voxels_are_read_together(tmp_path):
    header, voxels = metaimage(*turned((2, 1, 0), (1, 1, 1)), file="head.raw")
    (tmp_path / "head.mhd").write_bytes(header)
    (tmp_path / "head.raw").write_bytes(voxels)
    sources = [tmp_path, tmp_path / "head.mhd", [("a/head.mhd", header), ("a/head.raw", voxels)]]
    for source in sources:
        found = read_volumes(source)
        assert np.array_equal(found.scans[0].pixels, HEAD) and found.notes == ()
    with pytest.raises(UnreadableScan, match="send both together"):
        read_volume(header)


@pytest.mark.parametrize(
    "file", ["../secret.raw", "/etc/passwd", "a/b.raw", "C:\\x.raw", "LIST", "slice%03d.raw 1 9 1"]
)
def test_a_header_that_points_elsewhere_is_refused(file):
    header, voxels = metaimage(*turned((2, 1, 0), (1, 1, 1)), file=file)
    with pytest.raises(UnreadableScan, match="MetaImage header"):
        read_volume([("x.mhd", header), (file, voxels)])


@pytest.mark.parametrize("name", ["data file", "datafile", "Data File"])
def test_a_detached_nrrd_is_refused(name):
    data = nrrd(*turned((2, 1, 0), (1, 1, 1)), extra=f"{name}: /etc/passwd\n")
    with pytest.raises(UnreadableScan, match="another file"):
        read_volume(data)


def test_half_a_nifti_pair_is_refused():
    data = nifti(*turned((2, 1, 0), (1, 1, 1)))
    with pytest.raises(UnreadableScan, match="save both as one"):
        read_volume(data[:344] + b"ni1\0" + bytes(4))


def test_several_volumes_in_one_file_are_refused():
    image = nibabel.Nifti1Image(np.stack([HEAD] * 3, -1), np.eye(4))
    with pytest.raises(UnreadableScan, match="3 volumes"):
        read_volume(image.to_bytes())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_cut_off_is_refused(form, share):
    data = FORMS[form](*turned((2, 1, 0), (1, 1, 1)))
    with pytest.raises(UnreadableScan):
        read_volume(data[: int(share * len(data))])


def test_a_volume_of_zeros_is_refused():
    with pytest.raises(UnreadableScan, match="same value"):
        read_volume(nibabel.Nifti1Image(np.zeros((20, 20, 20), np.int16), np.eye(4)).to_bytes())


def lying_nifti(size):
    data = bytearray(nifti(*turned((2, 1, 0), (1, 1, 1))))
    data[40:56] = struct.pack("<8h", 3, *size, 1, 1, 1, 1)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        lying_nifti((30_000, 30_000, 4000)),
        gzip.compress(lying_nifti((2000, 2000, 80))),
        nrrd(*turned((2, 1, 0), (1, 1, 1))).replace(b"sizes: 24 20 18", b"sizes: 30000 30000 4000"),
        nrrd(*turned((2, 1, 0), (1, 1, 1))).replace(b"sizes: 24 20 18", b"sizes: 2000 2000 80"),
        metaimage(*turned((2, 1, 0), (1, 1, 1))).replace(b"DimSize = 24 20 18", b"DimSize = 30000 30000 4000"),
        metaimage(*turned((2, 1, 0), (1, 1, 1))).replace(b"DimSize = 24 20 18", b"DimSize = 2000 2000 80"),
    ],
)
def test_sizes_that_lie_are_refused(data):
    with pytest.raises(UnreadableScan):
        read_volume(data)


def test_a_gzip_bomb_is_refused():
    start = lying_nifti((2000, 2000, 79))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = packer.compress(start) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    with pytest.raises(UnreadableScan):
        read_volume(data)
    assert bounds.VOLUME_BYTES < 2 << 30


def test_a_broken_affine_leaves_the_voxels():
    data = bytearray(nifti(*turned((2, 1, 0), (1, 1, 1))))
    data[280:328] = struct.pack("<12f", *[float("nan")] * 12)
    scan = read_volume(bytes(data))
    assert scan.pixels.size == HEAD.size and scan.affine is None and "does not say" in scan.remarks[0]


def test_read_scan_opens_them_too():
    for form in ("nii.gz", "nrrd", "mha"):
        assert np.array_equal(read_scan(FORMS[form](*turned((2, 0, 1), (1, -1, 1)))).pixels, HEAD)


@pytest.mark.skipif(not (REAL_SCANS / "covid_ct").is_dir(), reason="needs the real series")
@pytest.mark.timeout(600)
def test_a_real_series_whose_names_are_out_of_order_lies_as_its_table_says():
    import csv

    import pydicom

    folder = REAL_SCANS / "covid_ct"
    with (folder / "slices.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["patient"] == "P001"]
    rows.sort(key=lambda row: float(row["slice_location"]))
    found = read_volumes(folder / "P001")
    (scan,) = found.scans
    assert scan.pixels.shape == (148, 512, 512) and scan.remarks == () and found.notes == ()
    assert scan.affine[2, 3] == pytest.approx(float(rows[0]["slice_location"])) and scan.spacing_mm[0] == pytest.approx(
        2
    )
    for place in (0, 40, 147):
        data = pydicom.dcmread(folder / "P001" / rows[place]["file"])
        assert np.array_equal(scan.pixels[place], data.pixel_array * data.RescaleSlope + data.RescaleIntercept)


def test_loose_pictures_of_a_folder_are_offered_as_pictures_by_their_names(tmp_path):
    random = np.random.default_rng(0)
    for name in ("before.png", "after.png"):
        (tmp_path / name).write_bytes(png(random.integers(0, 255, (40, 50)).astype(np.uint8)))
    found = read_volumes(tmp_path)
    assert found.names == ("after.png", "before.png") and "after" not in repr(found)
    with pytest.raises(UnreadableScan, match=r"2 pictures in it \(0: after.png, picture of 50 x 40; 1: before.png"):
        found.one()
    (tmp_path / "head.nii").write_bytes(nifti(*turned((2, 1, 0), (1, 1, 1))))
    found = read_volumes(tmp_path)
    assert found.names == ("head.nii", "after.png", "before.png")
    with pytest.raises(UnreadableScan, match=r"3 scans in it \(0: head.nii, .*18 slices"):
        found.one()


def test_a_series_of_slices_has_no_name_of_one_file(tmp_path):
    for place, data in enumerate(series(head(4))):
        (tmp_path / f"{place}.dcm").write_bytes(data)
    assert read_volumes(tmp_path).names == ("",)
