"""Functions of single pictures refuse a volume in a sentence: none resizes, measures or shows it along the
wrong axis.
"""

import cv2
import numpy as np
import pytest

from engine.commands.explain import overlaid, shown
from engine.datasets.body import body_mask
from engine.datasets.crop import beam_crop, head_crop, inside_crop
from engine.datasets.look_alikes import look_alikes
from engine.datasets.lung_fields import lung_fields, stretched
from engine.datasets.marks import burned_in
from engine.datasets.pictures import resized
from engine.metrics.composition import composition
from engine.metrics.confounder_sensitivity import confounder_sensitivity
from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.hit_rate import hit_rate
from engine.metrics.ncc import ncc
from engine.metrics.overlap import by_otsu, dice, iou
from engine.metrics.recovery import recovery, restraint
from engine.metrics.ssim import masked_ssim
from engine.ood import OutOfDistributionDetector
from engine.preprocessing import Preprocessing, enlarged
from pages.components.shelf import thumbnail
from viewer import explain_parts

VOLUME = np.random.default_rng(0).uniform(0, 255, (20, 32, 40)).astype(np.float32)
MASK = VOLUME > 100
PREPROCESSING = Preprocessing(size=24)
LIKENESS = OutOfDistributionDetector.of(VOLUME, VOLUME[::2] + 1)

ASKED = {
    "resized": lambda: PREPROCESSING.resized(VOLUME),
    "apply": lambda: PREPROCESSING.apply(VOLUME),
    "scan_units": lambda: PREPROCESSING.scan_units(VOLUME),
    "a map enlarged": lambda: enlarged(VOLUME, (64, 64)),
    "enlarged to a volume": lambda: enlarged(VOLUME[0], VOLUME.shape),
    "likeness": lambda: LIKENESS.score(VOLUME),
    "pictures": lambda: resized(VOLUME, 24),
    "look-alikes": lambda: look_alikes([VOLUME, VOLUME], 0.9),
    "body": lambda: body_mask(VOLUME),
    "marks": lambda: burned_in(VOLUME),
    "lungs": lambda: lung_fields(VOLUME),
    "stretched": lambda: stretched(VOLUME),
    "head": lambda: head_crop(VOLUME),
    "beam": lambda: beam_crop(VOLUME),
    "inside": lambda: inside_crop(VOLUME),
    "thumbnail": lambda: thumbnail(VOLUME, (100, 200)),
    "viewer": lambda: explain_parts(VOLUME, (100, 200), (), title="", key="x"),
    "command's picture": lambda: shown(VOLUME, (100, 200)),
    "command's overlay": lambda: overlaid(VOLUME.astype(np.uint8), VOLUME, 1.0),
    "iou": lambda: iou([MASK], [MASK]),
    "dice": lambda: dice([MASK], [MASK]),
    "otsu": lambda: by_otsu([VOLUME]),
    "ncc": lambda: ncc([VOLUME], [VOLUME]),
    "ssim": lambda: masked_ssim([VOLUME], [VOLUME], [MASK], 255.0),
    "composition": lambda: composition([VOLUME], [VOLUME], 255.0),
    "recovery": lambda: recovery([VOLUME], [VOLUME], [VOLUME + 1]),
    "restraint": lambda: restraint([VOLUME], [VOLUME + 1], [VOLUME + 1]),
    "hit rate": lambda: hit_rate([(VOLUME, [MASK])]),
    "disease sensitivity": lambda: disease_sensitivity([(VOLUME, [MASK])]),
    "confounder sensitivity": lambda: confounder_sensitivity(VOLUME, MASK),
    "evidence on the body": lambda: evidence_on_body([(VOLUME, MASK)]),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_volume_is_refused_in_a_sentence(name):
    with pytest.raises(ValueError, match=r"(?i)\((n, )?h, w\)") as refused:
        ASKED[name]()
    assert not isinstance(refused.value, cv2.error) and "\n" not in str(refused.value)
