"""Promises of compressed DICOM pictures, and of files whose parts contradict each other."""

import io
import struct

import numpy as np
import openjpeg.utils as openjpeg
import pytest
from pydicom import dcmread
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

from engine.scan import UnreadableScan, bounds
from engine.scan import read_scan_in_process as read_scan
from engine.scan.codestreams import with_whole_spectrum
from tests.scan.files import body, dicom, item, picture
from tests.scan.parts import encapsulated, lossless_jpeg, sequential_jpeg

STORED = body()
FLAT = (STORED // 16).astype(np.uint8)
SMOOTH = np.outer(np.linspace(0, 250, 40), np.linspace(0.2, 1, 50)).astype(np.uint8)


def run_lengths(words: np.ndarray) -> bytes:
    file = dcmread(io.BytesIO(dicom(words)))
    file.compress(RLELossless)
    out = io.BytesIO()
    file.save_as(out)
    return out.getvalue()


def retold(file: bytes, told: str, other: str) -> bytes:
    """The file with another transfer syntax in its file meta information."""
    told, other = ((uid + "\0" * (len(uid) % 2)).encode() for uid in (told, other))
    at = file.index(told)
    length = int.from_bytes(file[140:144], "little") + len(other) - len(told)
    return (
        file[:140]
        + struct.pack("<I", length)
        + file[144 : at - 2]
        + struct.pack("<H", len(other))
        + other
        + file[at + len(told) :]
    )


def meta(syntax: str, group_length: bool = True) -> bytes:
    """File meta information that holds a transfer syntax only."""
    told = syntax + "\0" * (len(syntax) % 2)
    element = b"\x02\0\x10\0UI" + struct.pack("<H", len(told)) + told.encode()
    return (b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(element)) if group_length else b"") + element


def meta_end(file: bytes) -> int:
    return 144 + int.from_bytes(file[140:144], "little")


def test_the_encoder_of_these_tests_is_read_back():
    assert np.array_equal(
        read_scan(encapsulated([lossless_jpeg(STORED, 12)], STORED, JPEGLosslessSV1, BitsStored=12, HighBit=11)).pixels,
        STORED,
    )


@pytest.mark.parametrize("signed", [False, True])
def test_compressed_words_are_shifted_to_their_high_bit_too(signed):
    values = (STORED // 2).astype(np.int16) - 1000 if signed else STORED
    words = values << 4
    deep = {"BitsStored": 12, "HighBit": 15, "PixelRepresentation": int(signed)}
    plain = words.view(np.uint16)
    jpeg = encapsulated([lossless_jpeg(plain, 16)], plain, JPEGLosslessSV1, **deep)
    runs = dcmread(io.BytesIO(run_lengths(plain)))
    runs.BitsStored, runs.HighBit, runs.PixelRepresentation = 12, 15, int(signed)
    out = io.BytesIO()
    runs.save_as(out)
    for file in (
        jpeg,
        out.getvalue(),
        encapsulated([openjpeg.encode_array(words, bits_stored=16)], plain, JPEG2000Lossless, **deep),
    ):
        assert np.array_equal(read_scan(file).pixels, values)


def test_a_stream_that_holds_the_values_themselves_is_not_shifted():
    file = encapsulated([lossless_jpeg(STORED, 12)], STORED, JPEGLosslessSV1, BitsStored=12, HighBit=15)
    assert np.array_equal(read_scan(file).pixels, STORED)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_count_in_no_encoding(signed):
    values = (STORED // 2).astype(np.int16) - 1000 if signed else STORED
    words = ((values.view(np.uint16) & 0x0FFF) << 2) | (np.arange(50) % 3 == 0).astype(
        np.uint16
    ) << 15  # an overlay above
    told = {"BitsStored": 12, "HighBit": 13, "PixelRepresentation": int(signed)}
    runs = dcmread(io.BytesIO(run_lengths(words)))
    runs.BitsStored, runs.HighBit, runs.PixelRepresentation = told.values()
    out = io.BytesIO()
    runs.save_as(out)
    for file in (
        dicom(words, **told),
        out.getvalue(),
        encapsulated([lossless_jpeg(words, 16)], words, JPEGLosslessSV1, **told),
        encapsulated([openjpeg.encode_array(words, bits_stored=16)], words, JPEG2000Lossless, **told),
    ):
        assert np.array_equal(read_scan(file).pixels, values)


def test_what_a_lossy_encoder_adds_beyond_the_stored_range_ends_there():
    steep = (
        np.kron(np.random.default_rng(0).integers(0, 2, (8, 10)), np.ones((5, 5), np.uint8)) * 63
    )  # rings on both sides
    file = encapsulated(
        [picture(steep.astype(np.uint8), "JPEG", quality=30)],
        steep.astype(np.uint8),
        JPEGBaseline8Bit,
        BitsStored=6,
        HighBit=5,
    )
    whole = encapsulated(
        [picture(steep.astype(np.uint8), "JPEG", quality=30)], steep.astype(np.uint8), JPEGBaseline8Bit
    )
    decoded = read_scan(whole).pixels
    assert decoded.max() > 63
    assert np.array_equal(read_scan(file).pixels, np.minimum(decoded, 63))


@pytest.mark.parametrize("stored", [8, 12, 16])
def test_8_bits_in_room_for_16_are_8_bits(stored):
    header = {"BitsAllocated": 16, "BitsStored": stored, "HighBit": stored - 1}
    baseline = read_scan(encapsulated([picture(SMOOTH, "JPEG", quality=95)], SMOOTH, JPEGBaseline8Bit, **header))
    assert np.abs(baseline.pixels - SMOOTH).max() <= 4 and baseline.bits == 8 and baseline.window == (127.5, 255.0)
    assert (
        np.abs(
            read_scan(encapsulated([sequential_jpeg(SMOOTH, 63)], SMOOTH, JPEGExtended12Bit, **header)).pixels - SMOOTH
        ).max()
        <= 4
    )
    for lossless in (
        encapsulated([lossless_jpeg(FLAT, 8)], FLAT, JPEGLosslessSV1, **header),
        encapsulated([openjpeg.encode_array(FLAT, bits_stored=8)], FLAT, JPEG2000Lossless, **header),
    ):
        assert np.array_equal(read_scan(lossless).pixels, FLAT)
    turned = read_scan(
        encapsulated([lossless_jpeg(FLAT, 8)], FLAT, JPEGLossless, PhotometricInterpretation="MONOCHROME1", **header)
    )
    assert np.array_equal(turned.pixels, 255 - FLAT)


def test_8_bit_colour_in_room_for_16_is_read():
    colour = np.stack([SMOOTH, SMOOTH, SMOOTH], axis=-1)
    frame = picture(colour, "JPEG", quality=95)
    file = encapsulated(
        [frame],
        colour,
        JPEGBaseline8Bit,
        samples=3,
        PhotometricInterpretation="YBR_FULL_422",
        BitsAllocated=16,
        BitsStored=8,
        HighBit=7,
    )
    assert np.abs(read_scan(file).pixels - SMOOTH).max() <= 4


def test_samples_for_which_there_is_no_room_are_named():
    with pytest.raises(UnreadableScan, match="12 bits a pixel, the header has room for 8"):
        read_scan(encapsulated([lossless_jpeg(STORED, 12)], FLAT, JPEGLosslessSV1))


def test_frames_of_different_depths_are_named():
    frames = [lossless_jpeg(STORED, 12), lossless_jpeg(STORED, 16)]
    with pytest.raises(UnreadableScan, match="different depths"):
        read_scan(encapsulated(frames, np.stack([STORED] * 2), JPEGLosslessSV1))


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_sequential_scan_that_ends_at_0_is_read_to_its_end(options, frames):
    pictures = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]])[:frames]
    like = pictures if frames > 1 else SMOOTH
    right = read_scan(
        encapsulated([sequential_jpeg(array, 63, **options) for array in pictures], like, JPEGExtended12Bit)
    )
    wrong = read_scan(
        encapsulated([sequential_jpeg(array, 0, **options) for array in pictures], like, JPEGExtended12Bit)
    )
    assert np.array_equal(wrong.pixels, right.pixels) and np.abs(right.pixels - like).max() <= 4


@pytest.mark.parametrize(
    "data",
    [
        picture(SMOOTH, "JPEG"),
        picture(SMOOTH, "JPEG", progressive=True),
        lossless_jpeg(FLAT, 8),
        b"",
        b"\xff\xd8\xff\xda",
    ],
)
def test_a_picture_without_that_fault_is_left_alone(data):
    assert with_whole_spectrum(data) is data


def test_a_full_size_film_in_lossless_jpeg_2000_is_read():
    grain = np.random.default_rng(0).normal(0, 16, (3056, 2544)) + 2000 + 1500 * np.sin(np.arange(2544) / 700)
    film = grain.clip(0, 4095).astype(np.uint16)
    frame = openjpeg.encode_array(film, bits_stored=12)
    assert len(frame) > 6_000_000
    assert np.array_equal(
        read_scan(encapsulated([frame], film, JPEG2000Lossless, BitsStored=12, HighBit=11)).pixels, film
    )


def test_a_full_size_mammogram_is_not_refused_for_its_size():
    header = lossless_jpeg(STORED, 12).replace(struct.pack(">HH", *STORED.shape), struct.pack(">HH", 5928, 4728), 1)
    with pytest.raises(UnreadableScan, match="cannot be decoded|damaged"):  # as the rest of its data is missing
        read_scan(encapsulated([header], STORED, JPEGLosslessSV1, Rows=5928, Columns=4728))


def test_the_bounds_of_slow_codecs_are_of_a_frame(monkeypatch):
    monkeypatch.setattr(bounds, "SLOW_VALUES", STORED.size)
    frame = openjpeg.encode_array(STORED, bits_stored=12)
    monkeypatch.setattr(bounds, "JPEG_2000_BYTES", len(frame) + len(frame) % 2)
    scan = read_scan(encapsulated([frame] * 4, np.stack([STORED] * 4), JPEG2000Lossless, BitsStored=12, HighBit=11))
    assert np.array_equal(scan.pixels, np.stack([STORED] * 4))
    monkeypatch.setattr(bounds, "JPEG_2000_BYTES", len(frame) - 2)
    with pytest.raises(UnreadableScan, match="takes too long"):
        read_scan(encapsulated([frame], STORED, JPEG2000Lossless))
    monkeypatch.setattr(bounds, "SLOW_VALUES", STORED.size - 1)
    with pytest.raises(UnreadableScan, match="limit"):
        read_scan(encapsulated([frame], STORED, JPEG2000Lossless))


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, RLELossless])
def test_pixels_that_were_unpacked_under_a_syntax_that_was_left_are_read(syntax):
    assert np.array_equal(read_scan(retold(dicom(STORED), ExplicitVRLittleEndian, syntax)).pixels, STORED)
    with pytest.raises(UnreadableScan, match="but it is not"):
        read_scan(retold(dicom(STORED, Rows=39), ExplicitVRLittleEndian, syntax))


def test_compressed_pixels_that_are_said_to_be_plain_are_named():
    for file, told in (
        (run_lengths(STORED), RLELossless),
        (encapsulated([lossless_jpeg(STORED, 12)], STORED, JPEGLosslessSV1), JPEGLosslessSV1),
    ):
        with pytest.raises(UnreadableScan, match="not compressed"):
            read_scan(retold(file, told, ExplicitVRLittleEndian))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (ExplicitVRLittleEndian, ExplicitVRBigEndian),
        (ImplicitVRLittleEndian, ExplicitVRBigEndian),
        (ExplicitVRBigEndian, ExplicitVRLittleEndian),
        (ExplicitVRBigEndian, ImplicitVRLittleEndian),
        (ExplicitVRBigEndian, JPEGBaseline8Bit),
    ],
)
def test_a_header_in_another_byte_order_than_the_file_says_is_named(written, told):
    with pytest.raises(UnreadableScan, match="endian, but its header is"):
        read_scan(retold(dicom(STORED, written), written, told))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("second", [ExplicitVRLittleEndian, JPEGBaseline8Bit])
@pytest.mark.parametrize("group_length", [True, False])
def test_the_first_file_meta_information_counts(syntax, second, group_length):
    file = run_lengths(STORED) if syntax == RLELossless else dicom(STORED, syntax)
    at = meta_end(file)
    twice = file[:at] + meta(second, group_length) + file[at:]
    assert np.array_equal(read_scan(twice).pixels, STORED)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("second", [ExplicitVRBigEndian, JPEGBaseline8Bit])
def test_the_first_file_meta_information_counts_without_a_group_length(syntax, second):
    file = run_lengths(STORED) if syntax == RLELossless else dicom(STORED, syntax)
    at = meta_end(file)
    twice = file[:132] + file[144:at] + meta(second) + file[at:]
    assert np.array_equal(read_scan(twice).pixels, STORED)


def test_a_group_length_that_is_wrong_does_no_harm():
    file = dicom(STORED, ImplicitVRLittleEndian)
    for wrong in (0, 20, 10_000, 2**32 - 1):
        assert np.array_equal(read_scan(file[:140] + struct.pack("<I", wrong) + file[144:]).pixels, STORED)
    assert np.array_equal(read_scan(file[:132] + file[144:]).pixels, STORED)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_mark_may_stand_at_the_start(syntax):
    assert np.array_equal(read_scan(dicom(STORED, syntax)[128:]).pixels, STORED)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("behind", [bytes(1_000_000), bytes(7), b"\xff" * 5000, b"\n", b"<!-- sent by -->" * 100])
def test_what_stands_behind_the_pixels_is_not_read(syntax, behind):
    file = run_lengths(STORED) if syntax == RLELossless else dicom(STORED, syntax)
    assert np.array_equal(read_scan(file + behind).pixels, STORED)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_the_first_of_two_pictures_in_a_file_counts(syntax):
    file = run_lengths(STORED) if syntax == RLELossless else dicom(STORED, syntax)
    rows, pixels = (b"\x28\0\x10\0US\2\0\x10\0", b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", 200) + bytes(200))
    assert np.array_equal(read_scan(file + pixels).pixels, STORED)
    assert np.array_equal(read_scan(file + rows + pixels).pixels, STORED)


def test_elements_behind_the_pixels_are_not_counted(monkeypatch):
    monkeypatch.setattr(bounds, "ELEMENTS", 300)
    private = b"".join(b"\xe1\x7f" + struct.pack("<H", 0x1000 + n) + b"LO\x04\0text" for n in range(2000))
    padding = b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<I", 4000) + bytes(4000)
    assert np.array_equal(read_scan(dicom(STORED) + private + padding).pixels, STORED)
    before = dicom(STORED)
    at = before.index(b"\xe0\x7f\x10\0OW")
    with pytest.raises(UnreadableScan, match="too many elements"):
        read_scan(before[:at] + private + before[at:])


def test_a_sequence_of_unknown_kind_is_read_in_implicit_little_endian():
    table = item(LUTDescriptor=[4001, 0, 16], LUTData=(np.arange(4001) * 7).astype("<u2").tobytes())
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    file = dcmread(io.BytesIO(dicom(STORED, ImplicitVRLittleEndian, ModalityLUTSequence=[table])))
    implicit = io.BytesIO()
    file.save_as(implicit)
    start = implicit.getvalue().index(b"\x28\x00\x00\x30")
    length = int.from_bytes(implicit.getvalue()[start + 4 : start + 8], "little")
    assert length < 2**32 - 1
    unknown = b"\x28\x00\x00\x30UN\0\0" + implicit.getvalue()[start + 4 : start + 8 + length]
    plain = dicom(STORED)
    at = plain.index(b"\xe0\x7f\x10\0OW")
    assert np.array_equal(read_scan(plain[:at] + unknown + plain[at:]).pixels, STORED * 7.0)
