"""Evidence on the body: the share of a map that lies on the patient rather than on borders, background and
burnt-in text.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.metrics.evidence import share_inside
from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import subject

METRICS = ("evidence_on_body",)


def evidence_on_body(
    pictures: Iterable[tuple[np.ndarray, np.ndarray]],
    finding: str = "",
    groups: Groups = None,
    variant: str = "",
) -> Measure:
    """Mean over pictures of |evidence| on the body / |evidence| of the picture; evidence for and against count alike.

    Any region serves as body, for example the lungs; say so in `variant`. Pictures without evidence are left out, and
    the remark counts them. Chance is the mean area share of the body; n is the number of pictures counted.

    Args:
        pictures: pairs of a weighted map (h, w), signed, and the body (h, w) bool; may be a generator.
        groups: one a picture: its patient; None when every picture is another patient's.

    Raises:
        NotMeasurable: when no picture has evidence.
    """
    shares, areas, measured, seen = [], [], [], 0
    for evidence, body in pictures:
        share = share_inside(np.abs(evidence), body)
        if share is not None:
            shares.append(share)
            areas.append(float(np.mean(body)))
            measured.append(seen)
        seen += 1
    if groups is not None and len(groups) != seen:
        raise ValueError(f"groups must name one patient a picture, got {len(groups)} for {seen} pictures")
    if not shares:
        raise NotMeasurable(f"{subject(finding, variant=variant)}: none of {seen} pictures has any evidence to place")
    clusters = None if groups is None else np.asarray(groups)[measured]
    return Measure(
        "evidence_on_body",
        finding,
        float(np.mean(shares)),
        *mean_interval(shares, clusters, within=(0.0, 1.0)),
        n=len(shares),
        chance=float(np.mean(areas)),
        remark=f"{seen - len(shares)} of {seen} pictures left out: no evidence" if len(shares) < seen else "",
        variant=variant,
    )
