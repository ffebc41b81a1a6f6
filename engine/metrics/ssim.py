"""Masked structural similarity: is the patient outside the lesion still the same patient in the counterfactual."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.stacks import Pictures, groups_of, same_masks, same_stack

METRICS = ("ssim",)
SIGMA = 1.5  # pixels, Wang et al. 2004
TRUNCATE = 3.5  # standard deviations: the 11 x 11 window of Wang et al.
MARGIN = 5  # pixels along the edge, where the window leaves the picture


def masked_ssim(
    x: Pictures,
    x_hat: Pictures,
    lesion: Pictures,
    data_range: float,
    finding: str = "",
    groups: Groups = None,
) -> Measure:
    """Mean over pictures of the SSIM (Wang et al. 2004) of picture and counterfactual, the lesion removed from both.

    Removed is: the lesion's pixels have one value, the picture's mean outside the lesion, in both, and the mean is over
    the others. Section 4.4 of the CX-GAN paper removes the lesion and says no more; averaging over the removed pixels
    too would count them as perfect. A picture without a lesion is compared whole; one that is all lesion is left out,
    and the remark counts it. n is the number of pictures counted.

    Args:
        x, x_hat: (N, H, W) in one unit, sides of at least 11 pixels.
        lesion: (N, H, W) bool.
        data_range: greatest minus least value that a picture can take, in the unit of x: 2 for [-1, 1].
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture is left.
    """
    x, x_hat, lesion = same_stack(x=x, x_hat=x_hat, lesion=lesion)
    same_masks(lesion=lesion)
    if not data_range > 0:
        raise ValueError(f"data_range must be above 0, got {data_range}")
    if min(x.shape[1:]) <= 2 * MARGIN:
        raise ValueError(f"pictures must be at least {2 * MARGIN + 1} pixels high and wide, got {x.shape[1:]}")
    values = np.array([_outside(*triple, data_range) for triple in zip(x, x_hat, lesion)])
    known = np.isfinite(values)
    clusters = groups_of(groups, known)
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: none of {len(values)} pictures has anything outside its lesion")
    return Measure(
        "ssim",
        finding,
        values[known].mean(),
        *mean_interval(values[known], clusters, within=(-1.0, 1.0)),
        n=int(known.sum()),
        remark=f"{(~known).sum()} of {len(known)} pictures left out: all lesion" if not known.all() else "",
    )


def similarity(x: np.ndarray, x_hat: np.ndarray, data_range: float) -> float:
    """The SSIM of two whole pictures (H, W), sides of at least 11 pixels; 1 where they are the same."""
    x, x_hat = same_stack(x=x[None], x_hat=x_hat[None])
    return _outside(x[0], x_hat[0], np.zeros(x.shape[1:], bool), data_range)


def _outside(x: np.ndarray, x_hat: np.ndarray, lesion: np.ndarray, data_range: float) -> float:
    """The mean SSIM over the pixels outside the lesion whose window lies in the picture; NaN without any."""
    counted = ~lesion[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if not counted.any():
        return np.nan
    fill = x[~lesion].mean(dtype=np.float64)
    pictures = [np.where(lesion, fill, picture.astype(np.float64)) for picture in (x, x_hat)]
    _, similarity, *_ = structural_similarity(
        *pictures,
        data_range=data_range,
        gaussian_weights=True,
        sigma=SIGMA,
        truncate=TRUNCATE,
        use_sample_covariance=False,
        full=True,
    )
    return float(similarity[MARGIN:-MARGIN, MARGIN:-MARGIN][counted].mean())
