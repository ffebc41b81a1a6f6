"""A small picture of a scan under a map, inside a page's own HTML: it lies at no address that others could ask."""

from __future__ import annotations

from base64 import b64encode
from html import escape

import cv2
import numpy as np

from engine.commands.explain import overlaid, png, shown
from engine.preprocessing import enlarged
from engine.scan import Scan

LONGEST = 384  # pixels


def figure(scan: Scan, cam: np.ndarray, said: str, pixels: np.ndarray | None = None) -> str:
    """An HTML image of the scan (H, W) under a map (h, w) of 0 to 1, orange where it is strong.

    Args:
        said: for readers who do not see it.
        pixels: shown in the scan's stead, as after a symbol was drawn into it.
    """
    picture = scan.pixels if pixels is None else pixels
    scale = min(1.0, LONGEST / max(picture.shape))
    small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if max(small.shape) < LONGEST // 2:  # a crop of few pixels is enlarged, as the viewer does
        small = enlarged(small, (small.shape[0] * 4, small.shape[1] * 4))
    coloured = overlaid(shown(small, scan.window), enlarged(cam, small.shape), 1.0)
    data = b64encode(png(coloured)).decode()
    return f"<img class='thumbnail' alt='{escape(said, quote=True)}' src='data:image/png;base64,{data}'>"
