"""Look-alikes are found directly and through others, and whole groups are dealt to the parts."""

import cv2
import numpy as np
import pytest

from engine.datasets import UnusableCollection
from engine.datasets.look_alikes import dealt, groups_of, look_alikes


def pictures(n=6, seed=0):
    random = np.random.default_rng(seed)
    return [cv2.resize(random.random((12, 12)).astype(np.float32), (60, 50)) for _ in range(n)]


def test_a_changed_copy_is_a_look_alike_and_another_picture_is_not():
    first, second, *_ = pictures()
    copies = [first, first * 3 + 10, cv2.resize(first, (90, 70)), second]
    groups = look_alikes(copies, 0.96)
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_resemblance_is_chained():
    a, b = (p - p.mean() for p in pictures(2))
    steps = [a * (1 - t) + b * t for t in np.linspace(0, 1, 12)]
    assert len(set(look_alikes(steps, 0.96))) == 1
    assert len(set(look_alikes([steps[0], steps[-1]], 0.96))) == 2


def test_constant_pictures_do_not_break_it():
    assert len(set(look_alikes([np.ones((30, 30), np.float32), *pictures(1)], 0.96))) == 2


def test_groups_csv_counts_when_it_lists_every_file(tmp_path):
    for i, picture in enumerate(pictures(3)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), (picture * 255).astype(np.uint8))
    files = ["0.png", "1.png", "2.png"]
    groups, words = groups_of(tmp_path, files, 0.96)
    assert len(set(groups)) == 3 and "there is no groups.csv" in words
    (tmp_path / "groups.csv").write_text("file,group\n0.png,7\n1.png,7\n2.png,9\n")
    groups, words = groups_of(tmp_path, files, 0.96)
    assert groups.tolist() == ["7", "7", "9"] and words.endswith("in groups.csv.")
    (tmp_path / "groups.csv").write_text("file,group\n0.png,7\n1.png,7\n")
    groups, words = groups_of(tmp_path, files, 0.96)
    assert len(set(groups)) == 3 and "does not list every picture" in words
    (tmp_path / "groups.csv").write_text("file,patient\n0.png,7\n")
    with pytest.raises(UnusableCollection, match="has no column group"):
        groups_of(tmp_path, files, 0.96)


def test_groups_stay_whole_and_rare_classes_reach_every_part():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), random.integers(1, 4, 200)).astype(str)
    classes = np.where(np.char.str_len(groups) == 1, "rare", "common")  # groups 0 to 9
    parts = dealt(groups, classes, seed=1)
    owners = {part: set(groups[indices]) for part, indices in parts.items()}
    assert sum(map(len, owners.values())) == 200 and sum(map(len, parts.values())) == len(groups)
    assert {part: len(o) for part, o in owners.items()} == {"train": 140, "validation": 20, "test": 40}
    assert {part: int(np.sum(np.char.str_len(list(o)) == 1)) for part, o in owners.items()} == {
        "train": 7,
        "validation": 1,
        "test": 2,
    }


def test_the_parts_depend_on_the_seed_and_not_on_the_order():
    groups, classes = np.arange(50).astype(str), np.repeat(["a", "b"], 25)
    parts, again = dealt(groups, classes, 1), dealt(groups[::-1], classes[::-1], 1)
    assert set(groups[parts["test"]]) == set(groups[::-1][again["test"]])
    assert set(dealt(groups, classes, 2)["test"]) != set(parts["test"])
