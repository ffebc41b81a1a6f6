"""Small files of every kind, for tests that damage them."""

import numpy as np
import openjpeg.utils as openjpeg
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
)

from tests.scan.files import body, dicom, interlaced_png, item, picture, png, tiff
from tests.scan.parts import (
    encapsulated,
    exif_block,
    jpeg_with_exif,
    lossless_jpeg,
    palette_elements,
    png_with_exif,
    sequential_jpeg,
    table_item,
)

STORED = body()
FLAT = body(40, 50, 255, np.uint8)
COLOUR = np.stack([FLAT, FLAT // 2, 255 - FLAT], -1)
FLOAT = {"PixelData": None, "BitsStored": None, "HighBit": None, "PixelRepresentation": None}
DETECTOR = {
    "ImagerPixelSpacing": ["0.2", "0.2"],
    "EstimatedRadiographicMagnificationFactor": "1.5",
    "PixelSpacing": ["0.2", "0.2"],
}
GROUPS = {
    "SharedFunctionalGroupsSequence": [item(PixelMeasuresSequence=[item(PixelSpacing=["1", "1"])])],
    "PerFrameFunctionalGroupsSequence": [
        item(PixelValueTransformationSequence=[item(RescaleSlope="2", RescaleIntercept="")])
    ]
    * 2,
}
PICTURES = [
    png(FLAT),
    png(body()),
    png(COLOUR),
    interlaced_png(FLAT),
    png_with_exif(png(FLAT), exif_block(6)),
    picture(FLAT, "JPEG"),
    picture(COLOUR, "JPEG", progressive=True),
    jpeg_with_exif(FLAT, exif_block(5, ">")),
    picture(FLAT, "TIFF", compression="tiff_lzw"),
    tiff(body(), order=">"),
    tiff(body(), body(), compression=8, t274=8),
    tiff(COLOUR),
    tiff(np.dstack([COLOUR, FLAT]), t338=2, t274=3),
    tiff(np.dstack([COLOUR, FLAT]).astype(np.uint16) * 257, t338=1),
    dicom(STORED << 4, BitsStored=12, HighBit=15, RescaleSlope="", PresentationLUTShape="INVERSE", **DETECTOR),
    dicom(
        STORED,
        ModalityLUTSequence=[table_item(np.arange(4000) * 3, count=4001)],
        NominalScannedPixelSpacing=["0.1", "0.1"],
    ),
    dicom(
        STORED,
        ImplicitVRLittleEndian,
        VOILUTSequence=[table_item(4095 - np.arange(4096), bits=12)],
        PixelPaddingValue=7,
    )
    + bytes(999),
    dicom(FLAT, **palette_elements(np.arange(250), 0, 8, count=256)),
    dicom(
        STORED.astype(np.int16),
        ExplicitVRBigEndian,
        PixelPaddingValue=-5,
        PixelPaddingRangeLimit=9,
        PixelAspectRatio=["2", "1"],
    )[128:],
    dicom(
        STORED.astype(np.float32), FloatPixelData=STORED.astype("<f4").tobytes(), FloatPixelPaddingValue=3.0, **FLOAT
    ),
    dicom(np.stack([STORED, STORED // 2]), **GROUPS),
    encapsulated([lossless_jpeg(STORED << 4, 16)], STORED, JPEGLosslessSV1, BitsStored=12, HighBit=15),
    encapsulated([lossless_jpeg(FLAT, 8)], STORED, JPEGLosslessSV1),
    encapsulated([sequential_jpeg(FLAT)] * 2, np.stack([FLAT] * 2), JPEGExtended12Bit),
    encapsulated([picture(FLAT, "JPEG")], STORED, JPEGBaseline8Bit),
    encapsulated([openjpeg.encode_array(STORED, bits_stored=12)], STORED, JPEG2000Lossless, BitsStored=12, HighBit=11),
]
