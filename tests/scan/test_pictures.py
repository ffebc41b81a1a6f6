"""Promises of PNG, JPEG and TIFF: every bit is kept, and what is no scan is refused in one sentence that helps."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import MPEG2MPML, UID, ExplicitVRLittleEndian, JPEG2000Lossless, RTStructureSetStorage

from engine.scan import Scan, UnreadableScan, read_scan
from tests.scan.files import body, dicom, interlaced_png, picture, png, png_chunks, png_header, tiff

DEEP = body(top=60_000)
FLAT = (DEEP // 256).astype(np.uint8)
COLOUR = np.stack([FLAT, FLAT // 2, 255 - FLAT], axis=-1)


def luminance(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb[..., :3].astype(np.float64).transpose(2, 0, 1)
    return ((299 * red + 587 * green + 114 * blue) / 1000).astype(np.float32)


@pytest.mark.parametrize(
    ("file", "pixels", "bits"),
    [
        (png(FLAT), FLAT, 8),
        (png(DEEP), DEEP, 16),
        (png(COLOUR), luminance(COLOUR), 8),
        (png(COLOUR.astype(np.uint16) * 257), luminance(COLOUR.astype(np.uint16) * 257), 16),
        (png(np.concatenate([COLOUR, 255 - FLAT[..., None]], axis=2)), luminance(COLOUR), 8),
        (interlaced_png(FLAT), FLAT, 8),
        (interlaced_png(FLAT[:17, :19]), FLAT[:17, :19], 8),
        (picture(FLAT, "TIFF"), FLAT, 8),
        (picture(FLAT, "TIFF", compression="tiff_lzw"), FLAT, 8),
        (picture(DEEP, "TIFF", compression="tiff_lzw"), DEEP, 16),
        (picture(DEEP, "TIFF", compression="tiff_adobe_deflate"), DEEP, 16),
        (picture(COLOUR, "TIFF", compression="tiff_lzw"), luminance(COLOUR), 8),
        (tiff(DEEP), DEEP, 16),
        (tiff(DEEP, order=">"), DEEP, 16),
        (tiff(DEEP, compression=8), DEEP, 16),
        (tiff((DEEP // 2).astype(np.int16) - 9000), (DEEP // 2).astype(np.int16) - 9000, 16),
        (tiff((DEEP / 7).astype(np.float32)), (DEEP / 7).astype(np.float32), 32),
        (tiff(COLOUR.astype(np.uint16) * 257), luminance(COLOUR.astype(np.uint16) * 257), 16),
        (tiff(DEEP, photometric=0), 65_535 - DEEP, 16),
        (tiff(FLAT, photometric=0), 255 - FLAT, 8),
    ],
)
def test_every_bit_is_kept(file, pixels, bits):
    scan = read_scan(file)
    assert np.array_equal(scan.pixels, np.asarray(pixels, np.float32))
    assert (scan.kind, scan.bits, scan.spacing_mm, scan.tags) == ("unknown", bits, None, {})
    assert scan.sha256 == Scan.of(pixels).sha256


def test_one_picture_has_one_identity_in_every_format():
    files = [png(DEEP), tiff(DEEP), tiff(DEEP, order=">", compression=8), dicom(DEEP)]
    assert len({read_scan(file).sha256 for file in files}) == 1


def test_an_8_bit_picture_starts_as_it_was_made():
    assert read_scan(png(FLAT)).window == read_scan(picture(FLAT, "JPEG")).window == (127.5, 255.0)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_jpeg_comes_within_its_own_loss(options):
    smooth = np.outer(np.linspace(0, 250, 40), np.linspace(0.2, 1, 50)).astype(np.uint8)
    grey = read_scan(picture(smooth, "JPEG", quality=95, **options))
    colour = read_scan(picture(np.stack([smooth] * 3, -1), "JPEG", quality=95, **options))
    assert np.abs(grey.pixels - smooth).max() <= 4 and np.abs(colour.pixels - smooth).max() <= 4


def test_a_palette_png_is_read_by_luminance():
    image = Image.fromarray(FLAT).convert("P")
    image.putpalette([value for index in range(256) for value in (index, 255 - index, 0)])
    out = io.BytesIO()
    image.save(out, "PNG")
    assert np.array_equal(read_scan(out.getvalue()).pixels, luminance(np.stack([FLAT, 255 - FLAT, FLAT * 0], -1)))


def test_pages_of_a_tiff_become_slices():
    scan = read_scan(tiff(DEEP, DEEP // 2, DEEP[::-1]))
    assert np.array_equal(scan.pixels, np.stack([DEEP, DEEP // 2, DEEP[::-1]]))
    with pytest.raises(UnreadableScan, match="pages"):
        read_scan(tiff(DEEP, DEEP[:20]))


def test_text_and_profiles_beside_the_pixels_are_never_decoded():
    header, pixels, end = (
        png_header(*FLAT.shape),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in FLAT))),
        (b"IEND", b""),
    )
    bomb = zlib.compress(bytes(30_000_000))
    plain = read_scan(png_chunks(header, pixels, end))
    carried = read_scan(
        png_chunks(header, (b"zTXt", b"note\0\0" + bomb), (b"iCCP", b"p\0\0" + bomb), (b"eXIf", b"MM\0*"), pixels, end)
    )
    assert carried.sha256 == plain.sha256 and carried.tags == {}


def zip_of(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


FORGED_ZIP = bytearray(zip_of(scan=png(FLAT)))
FORGED_ZIP[18:26] = struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF)
LINES = b"".join(b"\0" + row.tobytes() for row in FLAT)
BLANK = np.full((40, 50), 77, np.uint8)
SPECK = BLANK.copy()
SPECK[3, 3] = 200
REFUSED = [  # file, a word of the sentence
    (b"", "empty"),
    (b"\0" * 5000, "no format"),
    (b"Patient has a cough.\n" * 40, "text file"),
    ("Größe\n".encode(), "text file"),
    (b"<html><body>not found</body></html>", "text file"),
    (b'{"a": 1}', "text file"),
    (b"%PDF-1.7\n%\xe2\xe3\n" + b"x" * 400, "PDF"),
    (zip_of(**{"../../etc/passwd": b"x", "/root/a.dcm": dicom(DEEP)}), "zip"),
    (bytes(FORGED_ZIP), "zip"),
    (zip_of(), "zip"),
    (gzip.compress(dicom(DEEP)), "gzip"),
    (b"7z\xbc\xaf\x27\x1c" + b"\0" * 50, "7z"),
    (picture(FLAT, "GIF"), "GIF"),
    (picture(FLAT, "BMP"), "BMP"),
    (picture(FLAT, "WEBP"), "WebP"),
    (b"\x93NUMPY\x01\0" + b"\0" * 90, "NumPy"),
    (png(BLANK), "same value"),
    (png(SPECK), "nearly constant"),
    (png((FLAT > 100).astype(np.uint8) * 255), "The picture has 2 grey levels, as a mask"),
    (dicom(np.zeros((40, 50), np.uint16)), "same value"),
    (png(FLAT[:15]), "16 x 16"),
    (dicom(DEEP[:, :9]), "16 x 16"),
    (png(FLAT)[:-30], "cut off"),
    (picture(FLAT, "JPEG")[:-60], "cut off"),
    (tiff(DEEP)[:-40], "cut off"),
    (picture(FLAT, "TIFF", compression="tiff_lzw")[:300], "cut off"),
    (dicom(DEEP)[:-100], "cut off"),
    (dicom(DEEP, PixelData=None), "cut off"),
    (dicom(DEEP, PixelData=None, Rows=None, SOPClassUID=RTStructureSetStorage), "RT Structure Set"),
    (dicom(DEEP, PhotometricInterpretation="HSV"), "colours"),
    (dicom(DEEP, PhotometricInterpretation="RGB"), "colours"),
    (dicom(DEEP, BitsAllocated=24), "24 bits"),
    (dicom(DEEP, NumberOfFrames=9), "cut off"),
    (dicom(DEEP, NumberOfFrames=-1), "-1 frames"),
    (dicom(DEEP, PixelData=b"\xfe\xff\x00\xe0\0\0\0\0", syntax=MPEG2MPML), "MPEG2"),
    (dicom(DEEP, PixelData=b"\xfe\xff\x00\xe0\0\0\0\0" * 2, syntax=JPEG2000Lossless), "JPEG 2000"),
    (dicom(DEEP).replace(ExplicitVRLittleEndian.encode() + b"\0", b"1.2.3.4.5.6.7.8.9.9\0"), "unknown transfer syntax"),
    (dicom(DEEP, PixelPaddingValue=0, PixelData=bytes(4000)), "padding"),
    (png_chunks(png_header(40, 50), (b"IDAT", zlib.compress(LINES[:-7])), (b"IEND", b"")), "do not match"),
    (png_chunks(png_header(40, 50), (b"IDAT", zlib.compress(LINES + b"more")), (b"IEND", b"")), "more than"),
    (png_chunks(png_header(40, 50), (b"IDAT", zlib.compress(LINES)[:-4] + b"oops"), (b"IEND", b"")), "damaged"),
    (png(FLAT).replace(b"IDAT", b"IDAT"[::-1]), "header|cut off"),
    (tiff(DEEP, t259=4), "number 4"),
    (picture(FLAT, "TIFF", compression="packbits"), "number 32773"),
    (tiff(COLOUR, t284=2), "colours"),
    (picture(FLAT > 90, "TIFF"), "1 bits"),
    (picture(np.dstack([FLAT] * 3), "JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "12 bits"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("file", "word"), REFUSED)
def test_what_is_no_scan_is_refused_in_one_sentence(file, word):
    with pytest.raises(UnreadableScan, match=word) as refusal:
        read_scan(file)
    sentence = str(refusal.value)
    assert sentence.endswith(".") and len(sentence) < 260 and "\n" not in sentence
    assert any(verb in sentence for verb in ("send", "save", "export"))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_a_damaged_strip_is_never_shown_half(compression):
    file = bytearray(picture(FLAT, "TIFF", compression=compression))
    file[60:120] = b"\xff" * 60  # inside the strip, which comes first
    with pytest.raises(UnreadableScan, match="damaged"):
        read_scan(bytes(file))


def test_a_jpeg_in_a_dicom_file_is_never_shown_half():
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    jpeg = picture(FLAT, "JPEG", quality=95)
    whole = read_scan(dicom(FLAT, JPEGBaseline8Bit, PixelData=encapsulate([jpeg + b"\0" * (len(jpeg) % 2)])))
    assert np.abs(whole.pixels - FLAT).max() < 30
    half = jpeg[: len(jpeg) // 4 * 2]
    with pytest.raises(UnreadableScan, match="cut off"):
        read_scan(dicom(FLAT, JPEGBaseline8Bit, PixelData=encapsulate([half])))


@pytest.mark.parametrize("name", ["syntax", "class"])
def test_no_word_of_the_file_reaches_the_sentence(name):
    loud = UID("1.2.999.555.1")
    file = dicom(
        DEEP,
        SOPClassUID=loud,
        PatientName="Loud^Name",
        **({"PixelData": None, "Rows": None} if name == "class" else {}),
    )
    if name == "syntax":
        file = file.replace(ExplicitVRLittleEndian.encode() + b"\0", b"1.2.999.555.1\0\0\0\0\0\0\0")
    with pytest.raises(UnreadableScan) as refusal:
        read_scan(file)
    assert "999" not in str(refusal.value) and "Loud" not in str(refusal.value)
