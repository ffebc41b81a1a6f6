"""Promises over the real files of pydicom and pydicom-data: which are read, as which numbers, and why the
rest is refused.
"""

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from engine.scan import UnreadableScan, read_scan

WHEEL = Path(pydicom.__file__).parent / "data"
EXTRA = importlib.util.find_spec("data_store")  # the module of the package pydicom-data
FOLDERS = [WHEEL / "test_files"] + ([Path(EXTRA.origin).parent / "data"] if EXTRA else [])
FILES = {path.name: path for folder in FOLDERS for path in sorted(folder.glob("*.dcm"))}

READ = {  # (shape, kind): files
    ((512, 512), "CT"): """
        693_J2KI.dcm J2K_pixelrep_mismatch.dcm 693_J2KR.dcm 693_UNCI.dcm 693_UNCR.dcm bad_sequence.dcm
        explicit_VR-UN.dcm
    """,
    ((128, 128), "CT"): """
        CT_small.dcm
    """,
    ((60, 80), "ultrasound"): """
        ExplVR_BigEnd.dcm
    """,
    ((400, 400), "unknown"): """
        GDCMJ2K_TextGBR.dcm
    """,
    ((1024, 256), "unknown"): """
        JPEG2000.dcm JPGExtended.dcm JPEG-LL.dcm JPEG-lossy.dcm
        JPEG2000_UNC.dcm
    """,
    ((64, 64), "MR"): """
        MR_small.dcm MR_small_RLE.dcm MR_small_bigendian.dcm MR_small_expb.dcm MR_small_implicit.dcm
        MR_small_jp2klossless.dcm MR_small_jpeg_ls_lossless.dcm MR_small_padded.dcm
    """,
    ((256, 256), "unknown"): """
        SC_jpeg_no_color_transform.dcm SC_jpeg_no_color_transform_2.dcm SC_rgb_jpeg.dcm
        SC_rgb_jpeg_app14_dcmd.dcm SC_rgb_jpeg_dcmd.dcm
    """,
    ((100, 100), "unknown"): """
        SC_rgb_dcmtk_+eb+cr.dcm SC_rgb_dcmtk_+eb+cy+n1.dcm SC_rgb_dcmtk_+eb+cy+n2.dcm
        SC_rgb_dcmtk_+eb+cy+np.dcm SC_rgb_dcmtk_+eb+cy+s2.dcm SC_rgb_dcmtk_+eb+cy+s4.dcm SC_rgb_gdcm_KY.dcm
        SC_rgb_jls_lossy_line.dcm SC_rgb_jls_lossy_sample.dcm SC_rgb_jpeg_dcmtk.dcm SC_rgb_jpeg_gdcm.dcm
        SC_rgb_jpeg_lossy_gdcm.dcm SC_rgb_rle.dcm SC_rgb_rle_16bit.dcm SC_rgb_rle_32bit.dcm
        SC_ybr_full_422_uncompressed.dcm SC_rgb.dcm SC_rgb_16bit.dcm SC_rgb_32bit.dcm
        SC_rgb_dcmtk_ebcr_dcmd.dcm SC_rgb_dcmtk_ebcyn1_dcmd.dcm SC_rgb_dcmtk_ebcyn2_dcmd.dcm
        SC_rgb_dcmtk_ebcynp_dcmd.dcm SC_rgb_dcmtk_ebcys2_dcmd.dcm SC_rgb_dcmtk_ebcys4_dcmd.dcm SC_rgb_expb.dcm
        SC_rgb_expb_16bit.dcm SC_rgb_expb_32bit.dcm SC_rgb_gdcm2k_uncompressed.dcm
        SC_ybr_full_uncompressed.dcm
    """,
    ((2, 100, 100), "unknown"): """
        SC_rgb_rle_16bit_2frame.dcm SC_rgb_rle_2frame.dcm SC_rgb_rle_32bit_2frame.dcm SC_rgb_16bit_2frame.dcm
        SC_rgb_2frame.dcm SC_rgb_32bit_2frame.dcm SC_rgb_expb_16bit_2frame.dcm SC_rgb_expb_2frame.dcm
        SC_rgb_expb_32bit_2frame.dcm
    """,
    ((480, 640), "ultrasound"): """
        examples_jpeg2k.dcm US1_J2KI.dcm US1_J2KR.dcm US1_UNCI.dcm US1_UNCR.dcm gdcm-US-ALOKA-16.dcm
        gdcm-US-ALOKA-16_big.dcm
    """,
    ((300, 484), "MR"): """
        examples_overlay.dcm
    """,
    ((350, 800), "ultrasound"): """
        examples_palette.dcm
    """,
    ((240, 320), "ultrasound"): """
        examples_rgb_color.dcm
    """,
    ((30, 240, 320), "ultrasound"): """
        examples_ybr_color.dcm
    """,
    ((512, 512), "unknown"): """
        image_dfl.dcm mlut_18.dcm vlut_04.dcm
    """,
    ((768, 1024), "ultrasound"): """
        JPGLosslessP14SV1_1s_1f_8b.dcm
    """,
    ((484, 484), "MR"): """
        MR-SIEMENS-DICOM-WithOverlays.dcm
    """,
    ((1024, 1024), "MR"): """
        MR2_J2KI.dcm MR2_J2KR.dcm MR2_UNCI.dcm MR2_UNCR.dcm
    """,
    ((600, 800), "ultrasound"): """
        OBXXXX1A.dcm OBXXXX1A_expb.dcm OBXXXX1A_rle.dcm
    """,
    ((2, 600, 800), "ultrasound"): """
        OBXXXX1A_2frame.dcm OBXXXX1A_expb_2frame.dcm OBXXXX1A_rle_2frame.dcm
    """,
    ((480, 640), "unknown"): """
        OT-PAL-8-face.dcm
    """,
    ((1955, 1841), "radiograph"): """
        RG1_J2KI.dcm RG1_J2KR.dcm RG1_UNCI.dcm RG1_UNCR.dcm
    """,
    ((1760, 1760), "radiograph"): """
        RG3_J2KI.dcm RG3_J2KR.dcm RG3_UNCI.dcm RG3_UNCR.dcm
    """,
    ((120, 256), "ultrasound"): """
        color-pl.dcm color-px.dcm
    """,
    ((120, 480, 640), "ultrasound"): """
        color3d_jpeg_baseline.dcm
    """,
    ((2, 512, 512), "CT"): """
        eCT_Supplemental.dcm
    """,
    ((10, 64, 64), "MR"): """
        emri_small.dcm emri_small_RLE.dcm emri_small_big_endian.dcm emri_small_jpeg_2k_lossless.dcm
        emri_small_jpeg_ls_lossless.dcm
    """,
}
REFUSED = {  # a word of the sentence: files
    "RT Ion Plan": """
        ExplVR_BigEndNoMeta.dcm ExplVR_LitEndNoMeta.dcm
    """,
    "3722445056": """
        JPEG2000-embedded-sequence-delimiter.dcm
    """,
    "10 x 45": """
        JPEGLSNearLossless_08.dcm
    """,
    "10 x 50": """
        JPEGLSNearLossless_16.dcm
    """,
    "8130 of 8192": """
        MR_truncated.dcm
    """,
    "3 x 3": """
        SC_rgb_small_odd.dcm SC_rgb_small_odd_big_endian.dcm SC_rgb_small_odd_jpeg.dcm
    """,
    "cut off before": """
        UN_sequence.dcm no_meta_group_length.dcm priv_SQ.dcm emri_small_jpeg_2k_lossless_too_short.dcm
    """,
    "10 x 10": """
        badVR.dcm rtdose.dcm rtdose_1frame.dcm rtdose_expb.dcm rtdose_expb_1frame.dcm rtdose_rle.dcm
        rtdose_rle_1frame.dcm
    """,
    "unknown kind": """
        empty_charset_LEI.dcm meta_missing_tsyntax.dcm nested_priv_SQ.dcm
    """,
    "grey levels, as a mask": """
        liver_1frame.dcm liver_expb_1frame.dcm liver.dcm liver_expb.dcm
    """,
    "no format": """
        no_meta.dcm
    """,
    "Basic Text SR": """
        reportsi.dcm reportsi_with_empty_number_tags.dcm
    """,
    "RT Plan": """
        rtplan.dcm rtplan_truncated.dcm
    """,
    "RT Structure": """
        rtstruct.dcm
    """,
    "Comprehensive SR": """
        test-SR.dcm
    """,
    "ECG": """
        waveform_ecg.dcm
    """,
}

UNDECODED = ("JPEG-lossy.dcm",)  # by pydicom's own decoders, since its scan ends at 0
RINGING = ("693_J2KI.dcm", "693_UNCI.dcm")  # lossy, so that a few pixels are far darker than their padding

EXPECTED = {name: outcome for table in (READ, REFUSED) for outcome, names in table.items() for name in names.split()}


def open_file(name: str) -> bytes:
    if name not in FILES:
        pytest.skip(f"{name} comes with pydicom-data, which is not installed")
    return FILES[name].read_bytes()


def luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float64) @ (299, 587, 114) / 1000


def by_pydicom(name: str) -> np.ndarray:
    """pydicom's own pixels in the units and the sense that a Scan promises, float64."""
    header = pydicom.dcmread(FILES[name], force=True)
    if "TransferSyntaxUID" not in header.file_meta:
        header.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if header.original_encoding[0] else ExplicitVRLittleEndian
        )
    syntax = header.file_meta.TransferSyntaxUID
    plugin = {} if not syntax.is_compressed or syntax.is_deflated else {"decoding_plugin": "pylibjpeg"}
    if syntax == JPEGBaseline8Bit:
        plugin = {"decoding_plugin": "pillow"}
    stored = pixel_array(header, raw=True, allow_excess_frames=False, **plugin)
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        if (
            syntax == ExplicitVRBigEndian and "RedPaletteColorLookupTableData" in header
        ):  # pydicom takes them as little endian
            for colour in ("Red", "Green", "Blue"):
                table = header[f"{colour}PaletteColorLookupTableData"]
                table.value = np.frombuffer(table.value, ">u2").astype("<u2").tobytes()
        return luminance(apply_color_lut(stored, header))
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return stored[..., 0].astype(np.float64)
    if header.SamplesPerPixel == 3:
        return luminance(stored)
    pixels = apply_modality_lut(stored, header).astype(np.float64)
    groups = [header.get(f"{which}FunctionalGroupsSequence") for which in ("Shared", "PerFrame")]
    for items in filter(None, groups):
        if "PixelValueTransformationSequence" in items[0]:
            units = items[0].PixelValueTransformationSequence[0]
            pixels = pixels * float(units.RescaleSlope) + float(units.RescaleIntercept)
            break
    if photometric == "MONOCHROME1":
        assert "RescaleSlope" not in header or (header.RescaleSlope, header.RescaleIntercept) == (1, 0)
        pixels = 2**header.BitsStored - 1 - pixels
    if "PixelPaddingValue" in header and name not in RINGING:  # where padding lies at the dark end already
        padding = stored == header.PixelPaddingValue
        pixels[padding] = pixels[~padding].min()
    return pixels


AGAINST_THE_NORMAL = ("eCT_Supplemental.dcm",)  # its frames stand in the file from the far end of the normal


def test_the_table_names_every_file():
    assert set(FILES) <= set(EXPECTED)
    assert len(FILES) >= 70


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for names in READ.values() for name in names.split()])
def test_a_real_file_is_read_as_pydicom_reads_it(name):
    scan = read_scan(open_file(name))
    shape, kind = EXPECTED[name]
    assert (scan.pixels.shape, scan.kind) == (shape, kind)
    if name not in UNDECODED:
        frames = by_pydicom(name).astype(np.float32)
        np.testing.assert_array_equal(scan.pixels, frames[::-1] if name in AGAINST_THE_NORMAL else frames)
    centre, width = scan.window
    assert centre - width / 2 <= scan.pixels.max() and centre + width / 2 >= scan.pixels.min()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for names in REFUSED.values() for name in names.split()])
def test_a_real_file_without_a_scan_is_refused_for_the_right_reason(name):
    with pytest.raises(UnreadableScan, match=EXPECTED[name]):
        read_scan(open_file(name))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_other_file_of_the_wheel_is_read_or_refused():
    read = 0
    for path in WHEEL.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            try:
                read_scan(path.read_bytes())
                read += 1
            except UnreadableScan:
                continue
    assert read > 70


def test_a_jpeg_whose_scan_says_that_it_ends_at_0_is_read_as_dcmtk_reads_it():
    pixels = read_scan(open_file("JPEG-lossy.dcm")).pixels
    assert (pixels.min(), pixels.max()) == (0, 264)
    assert abs(pixels.mean() - 14.370) < 0.05  # of dcmdjpeg; two decoders differ by 1 in every 70th pixel


def test_lossless_encodings_of_one_picture_have_one_identity():
    for names in (
        "MR_small.dcm MR_small_RLE.dcm MR_small_bigendian.dcm MR_small_expb.dcm MR_small_implicit.dcm "
        "MR_small_jp2klossless.dcm MR_small_jpeg_ls_lossless.dcm MR_small_padded.dcm",
        "emri_small.dcm emri_small_RLE.dcm emri_small_big_endian.dcm emri_small_jpeg_2k_lossless.dcm "
        "emri_small_jpeg_ls_lossless.dcm",
        "SC_rgb.dcm SC_rgb_expb.dcm SC_rgb_rle.dcm SC_rgb_gdcm2k_uncompressed.dcm",
        "RG1_UNCR.dcm RG1_J2KR.dcm",
        "color-pl.dcm color-px.dcm",
        "OBXXXX1A.dcm OBXXXX1A_expb.dcm OBXXXX1A_rle.dcm",
        "gdcm-US-ALOKA-16.dcm gdcm-US-ALOKA-16_big.dcm",
    ):
        assert len({read_scan(open_file(name)).sha256 for name in names.split()}) == 1, names


def test_a_chest_radiograph_is_bright_where_dense_and_tells_nothing_of_its_owner():
    data = open_file("RG1_UNCR.dcm")
    header = pydicom.dcmread(FILES["RG1_UNCR.dcm"])
    scan = read_scan(data)
    assert header.PatientBirthDate and header.PhotometricInterpretation == "MONOCHROME1"
    assert scan.spacing_mm is None  # the file says 0\0
    assert (scan.kind, scan.bits, scan.tags["ViewPosition"]) == ("radiograph", 15, "PA")
    spine, air = scan.pixels[900:1300, 880:960].mean(), scan.pixels[40:120, 40:120].mean()
    assert spine > air
    told = repr((scan.tags, scan.kind, scan.window, scan.sha256))
    for keyword in ("PatientBirthDate", "PatientName", "PatientID", "StudyDate", "InstitutionName", "StudyInstanceUID"):
        value = str(header.get(keyword, "")).strip()
        assert not value or value not in told, keyword


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_reading_writes_no_identifying_value_to_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    data = open_file("RG1_UNCR.dcm")
    header = pydicom.dcmread(FILES["RG1_UNCR.dcm"])
    caplog.clear()
    read_scan(data)
    assert header.PatientBirthDate not in caplog.text and str(header.PatientID) not in caplog.text
