"""Promises of a scan: its units, its window, its identity, and what of the file is never kept."""

import pickle

import numpy as np
import pytest
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    UltrasoundImageStorage,
)

from engine.scan import TAG_NAMES, Scan, UnreadableScan, frame, read_scan
from tests.scan.files import body, dicom, item

STORED = body()


def shown(scan: Scan) -> np.ndarray:
    """The picture through its start window, 0 to 1."""
    centre, width = scan.window
    return np.clip((scan.pixels - centre) / width + 0.5, 0, 1)


def test_every_byte_order_gives_the_same_scan():
    syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
    scans = [read_scan(dicom(STORED, syntax)) for syntax in syntaxes]
    assert all(np.array_equal(scan.pixels, STORED) for scan in scans)
    assert len({scan.sha256 for scan in scans}) == 1


@pytest.mark.parametrize("window", [None, (40, 400), (2000, 3), ([40, 300], [400, 1500])])
def test_a_window_never_changes_pixels(window):
    elements = {} if window is None else {"WindowCenter": window[0], "WindowWidth": window[1]}
    scan = read_scan(dicom(STORED, **elements))
    assert np.array_equal(scan.pixels, STORED)
    assert scan.sha256 == read_scan(dicom(STORED)).sha256
    if window is not None:
        assert scan.window == tuple(np.ravel(part)[0] for part in window)


@pytest.mark.parametrize("window", [("40", "0"), ("40", "-5"), ("", "400"), ("90000", "10")])
def test_a_window_that_shows_nothing_gives_way_to_the_default(window):
    scan = read_scan(dicom(STORED, WindowCenter=window[0], WindowWidth=window[1]))
    assert scan.window == read_scan(dicom(STORED)).window
    assert shown(scan).std() > 0.2


def test_a_voi_table_sets_the_window_and_leaves_the_pixels():
    ramp = np.clip((np.arange(4096) - 1000) * 2, 0, 4000).astype(np.uint16)
    table = item(LUTDescriptor=[4096, 0, 12], LUTData=ramp.tobytes())
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    scan = read_scan(dicom(STORED, VOILUTSequence=[table]))
    assert np.array_equal(scan.pixels, STORED)
    assert scan.window == (2000.0, 2000.0)


def test_pixels_are_in_the_scanners_units():
    stored = STORED.astype(np.int16) - 500
    scan = read_scan(dicom(stored, Modality="CT", RescaleSlope="2", RescaleIntercept="-1024"))
    assert np.array_equal(scan.pixels, stored * 2.0 - 1024)
    assert scan.kind == "CT"


def test_a_modality_table_gives_the_units():
    entries = (np.arange(4001) ** 2 // 400).astype(np.uint16)
    table = item(LUTDescriptor=[4001, 0, 16], LUTData=entries.tobytes(), ModalityLUTType="US")
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    scan = read_scan(dicom(STORED, ModalityLUTSequence=[table]))
    assert np.array_equal(scan.pixels, entries[STORED])


@pytest.mark.parametrize("slope", ["0", "nan", "inf", "one"])
def test_a_slope_that_gives_no_units_is_refused(slope):
    file = dicom(STORED, RescaleSlope="7654321", RescaleIntercept="1").replace(b"7654321 ", slope.ljust(8).encode())
    with pytest.raises(UnreadableScan, match="slope"):
        read_scan(file)


def test_monochrome1_is_turned_over_so_that_bright_is_dense():
    film = {"BitsStored": 12, "HighBit": 11, "WindowWidth": 1000}
    plain = read_scan(dicom(4095 - STORED, WindowCenter=4095 - 1500, **film))
    turned = read_scan(dicom(STORED, PhotometricInterpretation="MONOCHROME1", WindowCenter=1500, **film))
    assert np.array_equal(turned.pixels, plain.pixels)
    assert turned.window == plain.window == (2595.0, 1000.0)
    assert turned.sha256 == plain.sha256


def test_turning_over_keeps_the_range_that_the_rescale_gives():
    scan = read_scan(
        dicom(
            STORED,
            PhotometricInterpretation="MONOCHROME1",
            BitsStored=12,
            HighBit=11,
            RescaleSlope="2",
            RescaleIntercept="-100",
        )
    )
    assert np.array_equal(scan.pixels, (2 * 4095 - 100) + -100 - (2.0 * STORED - 100))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("value", "limit", "dtype"), [(63536, None, np.uint16), (-2000, None, np.int16), (5000, 5003, np.uint16)]
)
def test_padding_becomes_the_darkest_real_value(photometric, value, limit, dtype):
    stored = STORED.astype(dtype)
    real = read_scan(dicom(stored, PhotometricInterpretation=photometric)).pixels[3:]
    stored[:3] = value if limit is None else limit
    stored[0] = value
    padding = {"PixelPaddingValue": value} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    scan = read_scan(dicom(stored, PhotometricInterpretation=photometric, **padding))
    assert np.array_equal(scan.pixels[3:], real)
    assert np.all(scan.pixels[:3] == real.min())


def test_an_overlay_in_the_unused_bits_is_ignored():
    drawn = STORED | (np.arange(50) % 3 == 0).astype(np.uint16) << 15
    scan = read_scan(dicom(drawn, BitsStored=12, HighBit=11))
    assert np.array_equal(scan.pixels, STORED)
    assert scan.bits == 12


def test_signed_pixels_of_odd_depth_keep_their_sign():
    stored = (STORED // 2).astype(np.int16) - 1000
    scan = read_scan(dicom(stored & np.int16(0x0FFF), BitsStored=12, HighBit=11, PixelRepresentation=1))
    assert np.array_equal(scan.pixels, stored)


def test_frames_become_slices_and_each_takes_its_own_rescale():
    stored = np.stack([STORED, STORED // 2, STORED[::-1]])
    groups = [
        item(PixelValueTransformationSequence=[item(RescaleSlope=str(k + 1), RescaleIntercept="-5", RescaleType="US")])
        for k in range(3)
    ]
    shared = [item(PixelMeasuresSequence=[item(PixelSpacing=["0.5", "0.25"], SliceThickness="3")])]
    scan = read_scan(dicom(stored, SharedFunctionalGroupsSequence=shared, PerFrameFunctionalGroupsSequence=groups))
    assert scan.pixels.shape == (3, 40, 50)
    assert all(np.array_equal(scan.pixels[k], stored[k] * (k + 1.0) - 5) for k in range(3))
    assert scan.spacing_mm == (None, 0.5, 0.25) and scan.plane_spacing_mm == (0.5, 0.25)


def test_one_slice_of_a_volume_is_a_scan_of_its_own():
    volume = read_scan(dicom(np.stack([STORED, STORED // 2]), PixelSpacing=["2", "1"]))
    slice_1 = frame(volume, 1)
    assert np.array_equal(slice_1.pixels, STORED // 2)
    assert slice_1.sha256 == Scan.of(STORED // 2).sha256 != volume.sha256
    assert (slice_1.kind, slice_1.window, slice_1.spacing_mm) == (volume.kind, volume.window, (2.0, 1.0))
    assert frame(slice_1, 0) is slice_1
    with pytest.raises(IndexError):
        frame(volume, 2)


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [
        ({"PixelSpacing": ["0.5", "0.25"]}, (0.5, 0.25)),
        ({"PixelSpacing": ["0.5", "0.25"], "ImagerPixelSpacing": ["1", "1"]}, (0.5, 0.25)),
        ({"PixelSpacing": ["0", "0"]}, None),
        ({"PixelSpacing": ["-1", "1"]}, None),
        ({"PixelSpacing": "1"}, None),
        ({}, None),
    ],
)
def test_spacing_is_only_what_can_be_true(elements, spacing):
    assert read_scan(dicom(STORED, **elements)).spacing_mm == spacing


SAME = {"PixelSpacing": ["0.2", "0.1"], "ImagerPixelSpacing": ["0.2", "0.1"]}
MAGNIFIED = {"EstimatedRadiographicMagnificationFactor": "2"}


@pytest.mark.parametrize(
    ("elements", "spacing", "place"),
    [
        ({"PixelSpacing": ["0.2", "0.1"]}, (0.2, 0.1), "patient"),
        ({"ImagerPixelSpacing": ["0.2", "0.1"]}, (0.2, 0.1), "detector"),
        ({"ImagerPixelSpacing": ["0.2", "0.1"], **MAGNIFIED}, (0.1, 0.05), "patient"),
        ({"PixelSpacing": ["0", "0"], "ImagerPixelSpacing": ["0.2", "0.1"]}, (0.2, 0.1), "detector"),
        (
            {"PixelSpacing": ["0.15", "0.15"], "ImagerPixelSpacing": ["0.2", "0.2"], **MAGNIFIED},
            (0.15, 0.15),
            "patient",
        ),
        (SAME, (0.2, 0.1), "detector"),  # repeated, not calibrated: PS3.3 10.7.1.3
        ({**SAME, "PixelSpacing": ["0.20004", "0.099995"], **MAGNIFIED}, (0.1, 0.05), "patient"),  # but for rounding
        ({**SAME, **MAGNIFIED}, (0.1, 0.05), "patient"),
        ({**SAME, "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.2, 0.1), "patient"),
        (
            {"ImagerPixelSpacing": ["0.2", "0.1"], "EstimatedRadiographicMagnificationFactor": "0"},
            (0.2, 0.1),
            "detector",
        ),
        (
            {"ImagerPixelSpacing": ["0.2", "0.1"], "EstimatedRadiographicMagnificationFactor": ""},
            (0.2, 0.1),
            "detector",
        ),
        ({"NominalScannedPixelSpacing": ["0.2", "0.1"]}, (0.2, 0.1), "detector"),
        ({"NominalScannedPixelSpacing": ["0.2", "0.1"], "PixelSpacing": ["0.2", "0.1"]}, (0.2, 0.1), "detector"),
        ({"NominalScannedPixelSpacing": ["0.2", "0.1"], "PixelSpacing": ["0.4", "0.2"]}, (0.4, 0.2), "patient"),
    ],
)
def test_spacing_says_whose_millimetres_it_has(elements, spacing, place):
    scan = read_scan(dicom(STORED, **elements))
    assert scan.spacing_mm == pytest.approx(spacing) and scan.spacing_at == place
    assert scan.pixel_aspect == pytest.approx(spacing[0] / spacing[1])


def test_the_aspect_of_pixels_is_known_without_millimetres():
    scan = read_scan(dicom(STORED, PixelAspectRatio=["2", "1"]))
    assert scan.spacing_mm is None and scan.pixel_aspect == 2
    assert read_scan(dicom(STORED)).pixel_aspect == 1
    assert read_scan(dicom(STORED, PixelAspectRatio=["0", "1"])).pixel_aspect == 1


@pytest.mark.parametrize("text", [b"nan\\nan", b"inf\\inf", b"wide\\a lot", b"1\\2\\3"])
def test_spacing_that_is_no_pair_of_numbers_is_none(text):
    file = dicom(STORED, PixelSpacing=["123456", "123456"]).replace(b"123456\\123456 ", text.ljust(14))
    assert text in file
    assert read_scan(file).spacing_mm is None


@pytest.mark.parametrize(
    ("modality", "storage", "kind"),
    [
        ("CR", None, "radiograph"),
        ("DX", None, "radiograph"),
        ("RG", None, "radiograph"),
        ("CT", None, "CT"),
        ("MR", None, "MR"),
        ("US", None, "ultrasound"),
        ("MG", None, "mammogram"),
        ("OT", CTImageStorage, "CT"),
        (None, UltrasoundImageStorage, "ultrasound"),
        ("NM", "1.2.3", "unknown"),
    ],
)
def test_the_kind_follows_modality_then_storage_class(modality, storage, kind):
    storage = {} if storage is None else {"SOPClassUID": storage}
    assert read_scan(dicom(STORED, Modality=modality, **storage)).kind == kind


def test_colour_is_read_by_luminance_and_grey_in_colour_is_the_same_scan():
    small = (STORED // 16).astype(np.uint8)
    colour = np.stack([small, small // 2, 255 - small], axis=-1)
    red, green, blue = colour.astype(np.float64).transpose(2, 0, 1)
    scan = read_scan(dicom(colour, samples=3))
    assert np.array_equal(scan.pixels, ((299 * red + 587 * green + 114 * blue) / 1000).astype(np.float32))
    grey = read_scan(dicom(np.stack([small] * 3, axis=-1), samples=3))
    assert grey.sha256 == read_scan(dicom(small)).sha256
    ybr = np.stack([small, np.full_like(small, 90), np.full_like(small, 170)], axis=-1)
    assert read_scan(dicom(ybr, samples=3, PhotometricInterpretation="YBR_FULL")).sha256 == grey.sha256


def test_a_palette_is_read_by_luminance():
    index = (STORED // 16).astype(np.uint8)
    tables = [(np.arange(256) ** power / 255 ** (power - 1)).astype(np.uint8) for power in (1, 2, 3)]
    elements = {}
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        elements[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    scan = read_scan(dicom(index, PhotometricInterpretation="PALETTE COLOR", **elements))
    red, green, blue = (table[index].astype(np.float64) for table in tables)
    assert np.array_equal(scan.pixels, ((299 * red + 587 * green + 114 * blue) / 1000).astype(np.float32))
    assert scan.bits == 8


def test_float_pixels_are_read_as_they_are_but_only_when_finite():
    real = (STORED / 7).astype(np.float32)
    elements = {"PixelData": None, "BitsStored": None, "HighBit": None, "PixelRepresentation": None}
    scan = read_scan(dicom(real, FloatPixelData=real.tobytes(), **elements))
    assert np.array_equal(scan.pixels, real)
    real[5, 5] = np.nan
    with pytest.raises(UnreadableScan, match="finite"):
        read_scan(dicom(real, FloatPixelData=real.tobytes(), **elements))


IDENTIFYING = {
    "PatientName": "Doe^Jane",
    "PatientID": "MRN-778812",
    "PatientBirthDate": "19510403",
    "PatientAddress": "12 Elm Street",
    "InstitutionName": "St Elsewhere",
    "ReferringPhysicianName": "House^Gregory",
    "AccessionNumber": "ACC991",
    "StudyDate": "20240229",
    "StudyDescription": "CHEST of Jane",
    "OperatorsName": "Smith^Al",
    "DeviceSerialNumber": "SN5551",
    "StudyInstanceUID": "1.2.840.99.1",
}


def test_only_allow_listed_tags_are_kept():
    described = {
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientSex": "F",
        "PatientAge": "072Y",
        "Manufacturer": "Acme (Europe)",
    }
    scan = read_scan(dicom(STORED, **IDENTIFYING, **described))
    assert scan.tags == {
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientSex": "F",
        "PatientAge": "72",
        "PhotometricInterpretation": "MONOCHROME2",
        "Manufacturer": "Acme (Europe)",
    }
    assert set(scan.tags) == set(TAG_NAMES)
    kept = pickle.dumps(scan)
    assert not any(part.encode() in kept for value in IDENTIFYING.values() for part in value.split("^"))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("045Y", "45"),
        ("089Y", "89"),
        ("090Y", "90+"),
        ("101Y", "90+"),
        ("018M", "1"),
        ("003W", "0"),
        ("45", "45"),
        ("old", None),
        ("-5Y", None),
    ],
)
def test_age_is_whole_years_and_90_plus_above_89(written, kept):
    file = dicom(STORED, PatientAge="999Y").replace(b"999Y", written.ljust(4).encode())
    assert read_scan(file).tags.get("PatientAge") == kept


@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize("keyword", ["Manufacturer", "BodyPartExamined", "ViewPosition", "PatientSex", "Modality"])
@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "a\x1b[31mred", "x" * 64, "été\u202e"])
def test_tags_are_short_and_printable(keyword, value):
    file = dicom(STORED, SpecificCharacterSet="ISO_IR 192", **{keyword: "Q" * 64})
    raw = value.encode()[:64].ljust(64)
    kept = read_scan(file.replace(b"Q" * 64, raw)).tags.get(keyword, "")
    assert len(kept) <= 40 and kept.isascii() and kept.isprintable()
    assert not set(kept) & set("<>\"'\\")


def test_the_identity_is_of_shape_and_values_and_never_changes():
    pixels = np.arange(512, dtype=np.float32).reshape(16, 32)
    assert Scan.of(pixels).sha256 == "a149b6a1f31a085008e145517b629fbbc40f91ea4ca9780b9a2bb9bcf117f49c"
    assert Scan.of(pixels).sha256 == Scan.of(pixels.astype(np.int64), kind="CT", window=(1, 2), bits=16).sha256
    assert Scan.of(pixels).sha256 != Scan.of(pixels.reshape(32, 16)).sha256
    other = pixels.copy()
    other[7, 7] += 1
    assert Scan.of(pixels).sha256 != Scan.of(other).sha256


def test_pixels_cannot_be_changed_behind_the_identity():
    owner = np.arange(1024, dtype=np.float32).reshape(32, 32)
    scan = Scan.of(owner[:16])
    owner[:] = 0
    assert scan.pixels.max() == 511
    with pytest.raises(ValueError, match="read-only"):
        scan.pixels[0, 0] = 1


def test_a_scan_can_be_sent_to_another_process():
    scan = read_scan(dicom(STORED, PatientSex="M"))
    again = pickle.loads(pickle.dumps(scan))
    assert np.array_equal(again.pixels, scan.pixels) and again.sha256 == scan.sha256 and again.tags == scan.tags


def test_the_default_window_shows_the_picture():
    assert Scan.of(STORED // 16).window == (127.5, 255.0)
    scan = Scan.of(STORED, bits=12)
    assert 0.02 < np.mean(shown(scan) == 1) + np.mean(shown(scan) == 0) < 0.1 or shown(scan).std() > 0.2
    assert Scan.of(np.full((20, 20), 7.0)).window[1] > 0


@pytest.mark.parametrize(
    ("pixels", "fields", "word"),
    [
        (np.zeros(300), {}, r"\(H, W\)"),
        (np.zeros((2, 2, 20, 20)), {}, r"\(H, W\)"),
        (np.zeros((15, 40)), {}, "16 x 16"),
        (np.zeros((0, 20, 20)), {}, "16 x 16"),
        (np.full((20, 20), np.nan), {}, "finite"),
        (np.full((20, 20), -np.inf), {}, "finite"),
        (np.full((20, 20), 1e300), {}, "finite"),
        (np.zeros((20, 20)), {"kind": "X-ray"}, "kind"),
        (np.zeros((20, 20)), {"spacing_mm": (0, 0)}, "spacing"),
        (np.zeros((20, 20)), {"spacing_mm": (np.nan, 1)}, "spacing"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (0.5, 0.5)}, r"\(slice, row, column\)"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (-5, 0.5, 0.5)}, "spacing"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (5, None, 0.5)}, "spacing"),
        (np.zeros((20, 20)), {"spacing_mm": (5, 0.5, 0.5)}, r"\(row, column\)"),
        (np.zeros((20, 20)), {"spacing_mm": (0.5, 0.5), "affine": np.eye(4)}, "Only a volume"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (1, 1, 1), "affine": np.eye(3)}, r"\(4, 4\)"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (1, 1, 1), "affine": np.eye(4) * np.nan}, "finite"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (1, 1, 1), "affine": np.ones((4, 4))}, "0 0 0 1"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (1, 1, 1), "affine": np.diag([1, 1, 0, 1])}, "span space"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (2, 1, 1), "affine": np.eye(4)}, "agree with the spacing"),
        (np.zeros((3, 20, 20)), {"spacing_mm": (None, 1, 1), "affine": np.eye(4)}, "agree with the spacing"),
        (np.zeros((3, 20, 20)), {"affine": np.eye(4)}, "agree with the spacing"),
        (np.zeros((20, 20)), {"spacing_mm": (0.5,)}, "spacing"),
        (np.zeros((20, 20)), {"spacing_at": "cassette"}, "measured at"),
        (np.zeros((20, 20)), {"pixel_aspect": 0}, "aspect"),
        (np.zeros((20, 20)), {"window": (0, 0)}, "window"),
        (np.zeros((20, 20)), {"window": (np.inf, 1)}, "window"),
        (np.zeros((20, 20)), {"tags": {"PatientName": "Doe"}}, "PatientName"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_scan_that_breaks_its_own_rules_cannot_be_made(pixels, fields, word):
    with pytest.raises(UnreadableScan, match=word):
        Scan.of(pixels, **fields)
