"""Promises of grey DICOM pictures: which bits are the value, what tables mean, which way is bright, and
what is no picture.
"""

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from engine.scan import UnreadableScan
from engine.scan import read_scan_in_process as read_scan
from tests.scan.files import body, dicom, item
from tests.scan.parts import palette_elements, table_item

STORED = body()
TWELVE = {"BitsStored": 12, "HighBit": 11}
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("stored", "high"), [(12, 11), (12, 12), (12, 15), (10, 13), (8, 15)])
def test_the_stored_bits_end_at_the_high_bit(syntax, stored, high):
    values = STORED >> (12 - stored)
    words = values << (high + 1 - stored)
    words |= np.uint16((1 << (high + 1 - stored)) - 1) & (np.arange(50) % 5).astype(
        np.uint16
    )  # overlays may stand below
    scan = read_scan(dicom(words, syntax, BitsStored=stored, HighBit=high))
    assert np.array_equal(scan.pixels, values)
    assert scan.bits == stored


def test_signed_values_above_the_lowest_bit_keep_their_sign():
    values = (STORED // 2).astype(np.int16) - 1000
    scan = read_scan(dicom(values << 4, BitsStored=12, HighBit=15))
    assert np.array_equal(scan.pixels, values)
    scan = read_scan(
        dicom(
            ((values & 0x0FFF) << 2).astype(np.int16), BitsStored=12, HighBit=13, RescaleSlope="2", RescaleIntercept="7"
        )
    )
    assert np.array_equal(scan.pixels, values * 2 + 7)


def test_the_high_bit_counts_in_8_and_32_bits_and_in_colour():
    narrow = (STORED >> 8).astype(np.uint8)
    assert np.array_equal(read_scan(dicom(narrow << 3, BitsStored=5, HighBit=7)).pixels, narrow)
    wide = STORED.astype(np.uint32) << 5
    assert np.array_equal(read_scan(dicom(wide << 10, BitsStored=20, HighBit=29)).pixels, wide)
    colour = np.stack([STORED << 4] * 3, axis=-1)
    assert np.array_equal(read_scan(dicom(colour, samples=3, BitsStored=12, HighBit=15)).pixels, STORED)


@pytest.mark.parametrize("high", [3, 40, None])
def test_a_high_bit_that_cannot_be_is_not_meant(high):
    assert np.array_equal(read_scan(dicom(STORED, BitsStored=12, HighBit=high)).pixels, STORED)


@pytest.mark.parametrize("missing", [1, 2, 95])
def test_a_modality_table_that_ends_early_holds_its_last_entry(missing):
    entries = (np.arange(4001) ** 2 // 400).astype(np.uint16)
    scan = read_scan(dicom(STORED, ModalityLUTSequence=[table_item(entries[:-missing], count=4001)]))
    assert np.array_equal(scan.pixels, entries[np.minimum(STORED, 4000 - missing)])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15, 16])
def test_a_modality_table_is_as_wide_as_its_descriptor_says(syntax, bits):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    entries = (np.arange(4096) * ((1 << bits) - 1) // 4095).astype(np.uint16)
    scan = read_scan(dicom(STORED, syntax, ModalityLUTSequence=[table_item(entries, bits=bits, order=order)]))
    assert np.array_equal(scan.pixels, entries[STORED])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_8_bit_entries_may_be_packed(syntax):
    entries = (np.arange(4096) // 16).astype(np.uint8)
    packed = entries.reshape(-1, 2)[:, ::-1].tobytes() if syntax == ExplicitVRBigEndian else entries.tobytes()
    scan = read_scan(dicom(STORED, syntax, ModalityLUTSequence=[table_item(entries, bits=8, data=packed)]))
    assert np.array_equal(scan.pixels, STORED // 16)


def test_a_table_half_as_long_as_it_says_is_not_guessed_at():
    entries = (np.arange(4096) // 16).astype(np.uint8)
    with pytest.raises(UnreadableScan, match="width of its entries"):
        read_scan(dicom(STORED, ModalityLUTSequence=[table_item(entries, bits=16, data=entries.tobytes())]))


@pytest.mark.parametrize("vr", ["US", "SS"])
def test_the_first_mapped_value_of_signed_pixels_is_signed(vr):
    values = STORED.astype(np.int16) - 2000
    entries = (np.arange(4001) * 3).astype(np.uint16)
    made = table_item(entries, first=0, vr=vr)
    made["LUTDescriptor"].value = [4001, -2000 if vr == "SS" else 63536, 16]
    scan = read_scan(dicom(values, ModalityLUTSequence=[made]))
    assert np.array_equal(scan.pixels, entries[STORED])


def test_the_first_mapped_value_of_unsigned_pixels_may_lie_above_32767():
    entries = (np.arange(4001) * 3).astype(np.uint16)
    scan = read_scan(dicom(STORED + 40_000, ModalityLUTSequence=[table_item(entries, first=40_000)]))
    assert np.array_equal(scan.pixels, entries[STORED])


def test_a_descriptor_of_0_entries_means_65536():
    stored = body(top=65_535)
    entries = (65_535 - np.arange(65_536)).astype(np.uint16)
    assert np.array_equal(
        read_scan(dicom(stored, ModalityLUTSequence=[table_item(entries, count=0)])).pixels, 65_535.0 - stored
    )
    assert np.array_equal(
        read_scan(dicom(stored, **palette_elements(entries, 0, 16, count=65_536))).pixels, 65_535.0 - stored
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("missing", [0, 1, 30])
def test_a_palette_is_as_wide_as_it_says_and_its_last_entry_holds(bits, missing):
    entries = (np.arange(256) * (200 if bits == 16 else 1))[: 256 - missing]
    index = (STORED // 16).astype(np.uint8)
    scan = read_scan(dicom(index, **palette_elements(entries, 0, bits, count=256)))
    assert np.array_equal(scan.pixels, entries[np.minimum(index, 255 - missing)])


def test_a_palette_may_begin_below_0_for_signed_pixels_and_above_for_others():
    entries = np.arange(4001) * 16
    low = palette_elements(entries, 0, 16)
    for name in ("Red", "Green", "Blue"):
        low[f"{name}PaletteColorLookupTableDescriptor"] = [4001, -2000, 16]
    assert np.array_equal(
        read_scan(dicom(STORED.astype(np.int16) - 2000, ImplicitVRLittleEndian, **low)).pixels, entries[STORED]
    )
    assert np.array_equal(read_scan(dicom(STORED + 500, **palette_elements(entries, 500, 16))).pixels, entries[STORED])


@pytest.mark.parametrize(
    "broken",
    [
        [],
        [item()],
        [item(LUTExplanation="none")],
        [item(LUTDescriptor=b"", LUTData=b"")],
        [item(LUTDescriptor=[4096, 0, 8])],
        [item(LUTDescriptor=[4096, 0])],
        [table_item(np.arange(9), bits=0)],
        [table_item(np.arange(0), bits=8, count=9)],
        [table_item(np.arange(0), bits=16, count=9)],
    ],
)
@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_table_that_is_none_changes_nothing(sequence, broken):
    for made in broken:
        for name, vr in (("LUTDescriptor", "US"), ("LUTData", "OW")):
            if name in made:
                made[name].VR = vr
    plain = read_scan(dicom(STORED))
    scan = read_scan(dicom(STORED, **{sequence: broken}))
    assert scan.sha256 == plain.sha256 and scan.window == plain.window
    scaled = read_scan(dicom(STORED, RescaleSlope="2", RescaleIntercept="-5", **{sequence: broken}))
    assert np.array_equal(scaled.pixels, STORED * 2.0 - 5)


def test_a_damaged_modality_table_is_said_and_a_damaged_voi_table_is_not():
    broken = [table_item(np.arange(9), bits=0)]
    assert "stored values" in read_scan(dicom(STORED, ModalityLUTSequence=broken)).remarks[0]
    assert read_scan(dicom(STORED, VOILUTSequence=broken)).remarks == ()
    assert read_scan(dicom(STORED, ModalityLUTSequence=[])).remarks == ()


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"RescaleSlope": "", "RescaleIntercept": ""}, STORED),
        ({"RescaleSlope": "", "RescaleIntercept": "-1024"}, STORED - 1024.0),
        ({"RescaleIntercept": "-1024"}, STORED - 1024.0),
        ({"RescaleSlope": "2"}, STORED * 2.0),
        ({"RescaleSlope": "2", "RescaleIntercept": ""}, STORED * 2.0),
        (
            {"SharedFunctionalGroupsSequence": [item(PixelValueTransformationSequence=[item(RescaleIntercept="-7")])]},
            STORED - 7.0,
        ),
        (
            {
                "RescaleSlope": "",
                "SharedFunctionalGroupsSequence": [item(PixelValueTransformationSequence=[item(RescaleSlope="3")])],
            },
            STORED * 3.0,
        ),
    ],
)
def test_an_empty_slope_is_1_and_an_empty_intercept_0(elements, expected):
    assert np.array_equal(read_scan(dicom(STORED, **elements)).pixels, expected)


def test_an_intercept_that_is_no_number_is_refused():
    file = dicom(STORED, RescaleSlope="1", RescaleIntercept="7654321").replace(b"7654321 ", b"a lot   ")
    with pytest.raises(UnreadableScan, match="intercept"):
        read_scan(file)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE", None])
def test_a_picture_is_turned_over_once_however_often_the_file_says_so(photometric, shape):
    scan = read_scan(
        dicom(
            STORED,
            PhotometricInterpretation=photometric,
            PresentationLUTShape=shape,
            WindowCenter=1500,
            WindowWidth=1000,
            **TWELVE,
        )
    )
    turned = photometric == "MONOCHROME1" or shape == "INVERSE"
    assert np.array_equal(scan.pixels, 4095 - STORED if turned else STORED)
    assert scan.window == (2595.0 if turned else 1500.0, 1000.0)
    assert bool(scan.remarks) == ((photometric, shape) in (("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_voi_table_that_falls_turns_the_picture_over_and_that_is_said(photometric):
    falls = np.clip(4095 - np.arange(4096) * 2, 0, 4095).astype(np.uint16)
    scan = read_scan(
        dicom(STORED, PhotometricInterpretation=photometric, VOILUTSequence=[table_item(falls, bits=12)], **TWELVE)
    )
    turned = photometric == "MONOCHROME2"  # its last step turns the other over once more
    assert np.array_equal(scan.pixels, 4095 - STORED if turned else STORED)
    assert "VOI" in scan.remarks[0]
    centre, width = scan.window
    assert width == pytest.approx(2048, abs=2) and centre == pytest.approx(4095 - 1024 if turned else 1024, abs=2)


def test_a_voi_table_that_falls_beside_a_window_is_only_said():
    falls = [table_item((4095 - np.arange(4096)).astype(np.uint16), bits=12)]
    scan = read_scan(dicom(STORED, VOILUTSequence=falls, WindowCenter=1500, WindowWidth=1000, **TWELVE))
    assert np.array_equal(scan.pixels, STORED) and "VOI" in scan.remarks[0]


def test_the_first_value_of_a_voi_table_is_in_the_scanners_units():
    rises = table_item(np.arange(1000), first=64_536)  # -1000
    stored = STORED // 8
    assert read_scan(dicom(stored, RescaleSlope="1", RescaleIntercept="-1000", VOILUTSequence=[rises])).window == (
        -500.5,
        999.0,
    )
    apart = read_scan(dicom(stored + 64_536, VOILUTSequence=[rises]))
    assert apart.window == (64_536 + 499.5, 999.0)


def ringing(dtype=np.int16) -> np.ndarray:
    """An MR-like picture on a background of 0, with a few pixels that compression left below it."""
    picture = STORED.astype(dtype) // 2 + 200
    picture[:10] = picture[:, :8] = 0
    picture[10, 8:48:10] = -131
    return picture


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_at_the_dark_end_stays_and_nothing_else_moves(photometric):
    stored = ringing()
    if photometric == "MONOCHROME1":
        stored = -1 - stored  # the same picture, dark where the value is high
    scan = read_scan(dicom(stored, PhotometricInterpretation=photometric, PixelPaddingValue=int(stored[0, 0])))
    assert np.array_equal(scan.pixels, ringing())


@pytest.mark.parametrize(("value", "limit"), [(-2000, None), (30_000, None), (-2000, -1900), (3000, 3100)])
def test_other_padding_becomes_the_dark_end_without_what_compression_left(value, limit):
    stored = ringing()
    holes = np.zeros(stored.shape, bool)
    holes[-4:] = True
    stored[holes] = value
    if limit is not None:
        stored[-1] = limit
    padding = {"PixelPaddingValue": value} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    scan = read_scan(dicom(stored, **padding))
    assert np.array_equal(scan.pixels[~holes], ringing()[~holes])
    assert len(np.unique(scan.pixels[holes])) == 1 and -131 < scan.pixels[holes][0] < 250


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixel", np.float32), ("DoubleFloatPixel", np.float64)])
@pytest.mark.parametrize(("value", "limit"), [(-1e30, None), (-5.0, -4.0), (np.nan, None)])
def test_padding_of_floats_is_left_out(keyword, dtype, value, limit):
    real = STORED.astype(dtype) / 7
    stored = real.copy()
    stored[:3], stored[0] = value if limit is None else limit, value
    elements = {
        "PixelData": None,
        "BitsStored": None,
        "HighBit": None,
        "PixelRepresentation": None,
        f"{keyword}PaddingValue": value,
    }
    if limit is not None:
        elements[f"{keyword}PaddingRangeLimit"] = limit
    scan = read_scan(dicom(stored, **{f"{keyword}Data": stored.tobytes()}, **elements))
    assert np.array_equal(scan.pixels[3:], real[3:].astype(np.float32))
    assert np.all(scan.pixels[:3] == scan.pixels[3:].min())


@pytest.mark.parametrize("photometric", ["monochrome1", "Monochrome1", "MONOCHROME1"])
def test_the_photometric_interpretation_may_be_in_small_letters(photometric):
    scan = read_scan(dicom(STORED, **TWELVE).replace(b"MONOCHROME2 ", photometric.encode() + b" "))
    assert np.array_equal(scan.pixels, 4095 - STORED)
    assert scan.tags["PhotometricInterpretation"] == "MONOCHROME1"
