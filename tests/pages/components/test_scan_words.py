"""A scan's title and badges tell what its file tells, and every preset is a window of this picture."""

import numpy as np

from engine.scan import Scan, frame
from pages.components import scan_words
from tests.pages.components.test_words import a_scan


def test_titles_and_badges_tell_what_the_file_tells():
    assert scan_words.scan_title(a_scan()) == "Chest radiograph, PA"
    assert scan_words.scan_badges(a_scan()) == [("40 x 60, 8 bit", "quiet"), ("no pixel spacing", "quiet")]
    assert scan_words.scan_badges(a_scan((0.2, 0.2)))[1:] == [("0.2 mm a pixel", "quiet")]
    assert scan_words.scan_badges(a_scan((0.2, 0.2), spacing_at="detector"))[1:] == [
        ("0.2 mm a pixel at the detector", "quiet")
    ]
    assert scan_words.scan_badges(a_scan(remarks=("turned over",)))[-1] == ("turned over", "warn")


def test_every_window_preset_is_a_window_of_this_picture():
    for _name, centre, width in scan_words.window_presets(a_scan()):
        assert width > 0 and 0 <= centre <= 255


def a_volume(kind="CT", spacing=(2.0, 0.7, 0.7), **more):
    pixels = np.random.default_rng(0).integers(-1000, 1500, (12, 40, 60)).astype(np.float32)
    return Scan.of(pixels, kind, spacing, bits=12, tags={"BodyPartExamined": "CHEST"}, **more)


def test_a_volume_is_named_as_a_whole_with_its_slices_and_their_distance():
    assert scan_words.scan_title(a_volume()) == "Chest CT" and scan_words.scan_title(a_volume("MR")) == "Chest MR"
    assert ("12 slices, 2 mm apart", "quiet") in scan_words.scan_badges(a_volume())
    assert ("12 slices, distance not known", "quiet") in scan_words.scan_badges(a_volume(spacing=None))


def test_a_ct_has_the_windows_that_radiologists_use_and_no_other_kind_has():
    windows = {name: (centre, width) for name, centre, width in scan_words.window_presets(a_volume())}
    assert windows["Brain"] == (40, 80) and windows["Lung"] == (-600, 1500) and windows["Soft tissue"] == (50, 400)
    assert {"Stroke", "Bone"} <= set(windows) and windows["Stroke"][1] < windows["Brain"][1]
    slice_of = scan_words.window_presets(frame(a_volume(), 6))
    assert [name for name, *_ in slice_of] == list(windows), "a single slice of a CT has them too"
    assert len(windows) <= 7, "each has a number key, after the start window and the full range"
    assert not {"Brain", "Lung"} & {name for name, *_ in scan_words.window_presets(a_volume("MR"))}
