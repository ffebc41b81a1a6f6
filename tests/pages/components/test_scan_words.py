"""A scan's title and badges tell what its file tells, and every preset is a window of this picture."""

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
