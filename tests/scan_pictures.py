"""Small pictures of every kind, for tests that damage them."""

import numpy as np

from tests.scan_files import body, interlaced_png, picture, png, tiff

FLAT = body(40, 50, 255, np.uint8)
COLOUR = np.stack([FLAT, FLAT // 2, 255 - FLAT], -1)
PICTURES = [
    png(FLAT),
    png(body()),
    png(COLOUR),
    interlaced_png(FLAT),
    picture(FLAT, "JPEG"),
    picture(COLOUR, "JPEG", progressive=True),
    picture(FLAT, "TIFF", compression="tiff_lzw"),
    tiff(body(), order=">"),
    tiff(body(), body(), compression=8),
    tiff(COLOUR),
]
