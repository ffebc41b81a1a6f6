"""A checkpoint is opened only when its configuration, its card and its weights belong together."""

import json
import pickle
import threading

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from engine.checkpoints.changes import with_caution
from engine.checkpoints.format import (
    CARD_SECTIONS,
    RefusedCheckpoint,
    examine,
    save_checkpoint,
)
from engine.checkpoints.resolve import UnknownCheckpoint, open_checkpoint, shipped
from engine.checkpoints.sections import read_card
from engine.configuration import CONFIG_KEYS
from engine.registry import methods

CONFIG = {
    "findings": ["effusion", "nodule"],
    "network": {"width": 4},
    "preprocessing": {"size": 64},
    "thresholds": {"effusion": 0.5, "nodule": 0.25},
}
CARD = "# A small one\n\n" + "".join(f"## {title}\n\nTold in full.\n\n" for title in CARD_SECTIONS[:-1])


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 3))


def save(folder, **changes):
    arguments = {"method": sorted(methods())[0], "config": CONFIG, "weights": network().state_dict(), "card": CARD}
    return save_checkpoint(folder, **{**arguments, **changes})


def rewrite(folder, **changes):
    """Puts `changes` into config.json; a key set to None is taken out."""
    config = {**json.loads((folder / "config.json").read_text()), **changes}
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "small")
    return tmp_path / "small"


def test_what_is_saved_opens_with_the_same_weights(tmp_path):
    saved = save(tmp_path / "small")
    opened = open_checkpoint(tmp_path / "small")
    assert opened == saved and opened.name == "small" and opened.config["thresholds"] == CONFIG["thresholds"]
    for key, value in network().state_dict().items():
        assert torch.equal(opened.weights()[key], value), key


def test_half_precision_comes_back_as_float32_and_vectors_keep_every_bit(tmp_path):
    whole, half = save(tmp_path / "whole").weights(), save(tmp_path / "half", half=True).weights()
    for key, value in whole.items():
        assert half[key].dtype == value.dtype
        assert torch.allclose(half[key].float(), value.float(), rtol=1e-3, atol=1e-6), key
        assert value.ndim >= 2 or torch.equal(half[key], value), key
    assert not torch.equal(half["0.weight"], whole["0.weight"])


def test_half_precision_that_overflows_is_refused_and_nothing_is_left_behind(tmp_path):
    with pytest.raises(RefusedCheckpoint, match="not finite in kernel"):
        save(tmp_path / "small", weights={"kernel": torch.full((2, 2), 1e6)}, half=True)
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_weights_are_saved_as_float32(tmp_path):
    weights = {
        key: value.bfloat16() if value.is_floating_point() else value for key, value in network().state_dict().items()
    }
    opened = save(tmp_path / "small", weights=weights).weights()
    assert opened["0.weight"].dtype == torch.float32 and torch.equal(opened["0.weight"], weights["0.weight"].float())


def test_the_card_names_the_weights_once_however_often_it_is_saved(tmp_path):
    first = save(tmp_path / "small")
    second = save(tmp_path / "small", weights={"kernel": torch.ones(2, 2)}, card=first.card)
    assert first.sha256 != second.sha256
    assert first.sha256 not in second.card and second.card.count(second.sha256) == 1
    assert save(tmp_path / "again", weights={"kernel": torch.ones(2, 2)}, card=second.card).card == second.card


def test_what_the_card_says_about_the_weights_is_kept(tmp_path):
    card = save(tmp_path / "small", card=CARD + "## Weights\n\nHalf precision.\n").card
    assert "Half precision." in read_card(card)["Weights"]


def test_a_save_that_is_refused_leaves_the_old_checkpoint(folder):
    before = examine(folder)
    with pytest.raises(RefusedCheckpoint, match="Metrics"):
        save(folder, weights={"kernel": torch.ones(2, 2)}, card=CARD.replace("## Metrics", "## Numbers"))
    assert examine(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


def test_saving_never_deletes_a_file_that_is_not_its_own(folder):
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(RefusedCheckpoint, match="diary.txt"):
        save(folder)
    assert (folder / "diary.txt").read_text() == "mine"


def test_every_reader_during_a_save_sees_one_whole_checkpoint(tmp_path):
    allowed = {save(tmp_path / "other", weights={"kernel": torch.full((64, 64), float(k))}).sha256 for k in range(2)}
    save(tmp_path / "small", weights={"kernel": torch.zeros(64, 64)})

    def rewrite_often():
        for k in range(20):
            save(tmp_path / "small", weights={"kernel": torch.full((64, 64), float(k % 2))})

    writer = threading.Thread(target=rewrite_often)
    writer.start()
    opened = set()
    while writer.is_alive():
        try:
            opened.add(examine(tmp_path / "small").sha256)
        except RefusedCheckpoint:
            continue  # between two checkpoints there may be none, never a mixture
    writer.join()
    assert opened <= allowed


@pytest.mark.parametrize("file", ["weights.safetensors", "config.json", "card.md"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(RefusedCheckpoint, match=f"has no {file}"):
        examine(folder)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "pytorch_model.bin", "model.pkl"])
def test_pickles_in_place_of_weights_are_refused_by_name(folder, name):
    (folder / "weights.safetensors").rename(folder / name)
    with pytest.raises(RefusedCheckpoint, match=f"{name}, and nothing is ever unpickled"):
        examine(folder)


class Harm:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("data", [pickle.dumps(Harm()), b"", b"\xff" * 8, b"\x08" + b"\0" * 7 + b'{"a":{}}'])
def test_a_file_that_is_not_safetensors_is_refused_and_never_unpickled(folder, data):
    (folder / "weights.safetensors").write_bytes(data)
    with pytest.raises(RefusedCheckpoint, match="not a safetensors file"):
        examine(folder)


def test_weights_other_than_the_named_ones_are_refused(folder):
    save_file({"kernel": np.ones((2, 2), np.float32)}, folder / "weights.safetensors")
    with pytest.raises(RefusedCheckpoint, match="not what config.json names"):
        examine(folder)


def test_a_card_that_names_other_weights_is_refused(folder):
    card = (folder / "card.md").read_text()
    (folder / "card.md").write_text(card.replace(examine(folder).sha256, "0" * 64))
    with pytest.raises(RefusedCheckpoint, match="not what card.md names"):
        examine(folder)


def test_weights_that_change_after_opening_are_refused(folder):
    opened = examine(folder)
    save(folder, weights={"kernel": torch.ones(2, 2)})
    with pytest.raises(RefusedCheckpoint, match="changed"):
        opened.weights()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    with pytest.raises(RefusedCheckpoint, match="not finite in bias"):
        save(tmp_path / "small", weights={"bias": torch.tensor([0.0, value])})


def test_weights_over_the_limit_are_refused_before_they_are_read(folder):
    with open(folder / "weights.safetensors", "r+b") as file:
        file.truncate(10**12)  # sparse: reading it would fail
    with pytest.raises(RefusedCheckpoint, match="at most 25 MB"):
        examine(folder)


@pytest.mark.parametrize("title", CARD_SECTIONS)
@pytest.mark.parametrize("fault", ["missing", "empty", "TODO", "fenced"])
def test_an_incomplete_card_is_refused_by_section(folder, title, fault):
    sections = {**read_card((folder / "card.md").read_text())}
    sections[title] = {"missing": None, "empty": "", "TODO": f"{sections[title]} TODO: numbers", "fenced": None}[fault]
    card = "".join(f"## {name}\n\n{body}\n\n" for name, body in sections.items() if body is not None)
    (folder / "card.md").write_text(card + (f"## Notes\n```\n## {title}\nfull\n```\n" if fault == "fenced" else ""))
    with pytest.raises(RefusedCheckpoint, match=f"'## {title}'"):
        examine(folder)


@pytest.mark.parametrize("key", CONFIG_KEYS)
def test_a_missing_key_is_named(folder, key):
    rewrite(folder, **{key: None})
    with pytest.raises(RefusedCheckpoint, match=f"lacks {key}"):
        examine(folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "format 2"),
        ({"format": "1"}, "format '1'"),
        ({"method": "palmistry"}, "known are"),
        ({"method": ["attri-net"]}, "known are"),
        ({"findings": "effusion"}, "findings as names"),
        ({"findings": ["effusion", 3]}, "findings as names"),
        ({"findings": ["nodule", "nodule"]}, "twice"),
        ({"contrast_class": 3}, "another finding under contrast_class"),
        ({"contrast_class": " "}, "another finding under contrast_class"),
        ({"contrast_class": "nodule"}, "another finding under contrast_class"),
        ({"network": []}, "object under network"),
        ({"preprocessing": "none"}, "object under preprocessing"),
        ({"thresholds": [0.5, 0.5]}, "object under thresholds"),
        ({"thresholds": {"effusion": 0.5}}, "'nodule' a threshold"),
        ({"thresholds": {"effusion": 0.5, "nodule": 1.5}}, "got 1.5"),
        ({"thresholds": {"effusion": True, "nodule": 0.5}}, "got True"),
        ({"thresholds": {"effusion": "0.5", "nodule": 0.5}}, "got '0.5'"),
        ({"weights_sha256": 7}, "64 hexadecimal"),
    ],
)
def test_a_wrong_value_in_the_configuration_is_named(folder, changes, sentence):
    rewrite(folder, **changes)
    with pytest.raises(RefusedCheckpoint, match=sentence):
        examine(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"format": NaN}', "holds NaN"),
        (b'{"format": 1, "name": "\xff"}', "not text"),
        (b'{"format": ' + b"1" * 5000 + b"}", "not valid JSON"),
        (b" " * 1_000_001, "1,000,001 bytes"),
    ],
)
def test_a_configuration_that_is_not_sound_json_is_refused(folder, text, sentence):
    (folder / "config.json").write_bytes(text)
    with pytest.raises(RefusedCheckpoint, match=sentence):
        examine(folder)


def test_a_shipped_name_opens_and_an_unknown_one_lists_those_that_would(folder, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(folder.parent))
    assert shipped() == ["small"]
    assert open_checkpoint("small").source == "shipped"
    with pytest.raises(RefusedCheckpoint, match=r"\(small\), a folder, or hub:owner/name@revision"):
        open_checkpoint("smal")


def test_a_broken_checkpoint_is_still_listed_so_that_it_can_be_named(folder, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(folder.parent))
    (folder / "card.md").unlink()
    assert shipped() == ["small"]


def test_no_shipped_folder_means_no_shipped_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "nowhere"))
    assert shipped() == []
    with pytest.raises(RefusedCheckpoint, match="none"):
        open_checkpoint("small")


def test_every_shipped_checkpoint_opens_and_together_they_stay_under_120_megabytes():
    opened = [open_checkpoint(name) for name in shipped()]
    assert sum((checkpoint.folder / "weights.safetensors").stat().st_size for checkpoint in opened) <= 120e6


def test_every_refusal_is_one_sentence(folder):
    rewrite(folder, format=9)
    with pytest.raises(RefusedCheckpoint) as refusal:
        examine(folder)
    assert "\n" not in str(refusal.value) and str(refusal.value).endswith(".")


def test_a_caution_stands_in_the_configuration_and_under_the_cards_first_section_until_it_is_taken_back(folder):
    plain = open_checkpoint(folder)
    first = with_caution(plain, "It heals the scanner.")
    assert first.caution == "It heals the scanner." and first.sha256 == plain.sha256
    assert "Caution: It heals the scanner." in read_card(first.card)["Intended use and limits"]
    second = with_caution(first, "Marks are healed too.")
    assert "scanner" not in second.card and second.card.count("Caution: ") == 1
    assert with_caution(second, "").card == plain.card


@pytest.mark.parametrize("words", ["two\nlines", "x" * 301])
def test_a_caution_is_one_short_line_and_a_longer_one_leaves_the_checkpoint_as_it_was(folder, words):
    before = open_checkpoint(folder).card
    with pytest.raises(RefusedCheckpoint, match="caution of one line"):
        with_caution(open_checkpoint(folder), words)
    assert open_checkpoint(folder).card == before


def test_the_same_weights_with_another_configuration_are_another_model(tmp_path):
    first, again = save(tmp_path / "first"), save(tmp_path / "again")
    other = save(tmp_path / "other", config={**CONFIG, "preprocessing": {"size": 32}})
    assert first.sha256 == other.sha256
    assert first.identity == again.identity != other.identity


def test_a_name_that_is_nearly_a_shipped_one_is_asked_after_and_briefly_where_they_are_listed_already():
    with pytest.raises(
        UnknownCheckpoint, match=r"no checkpoint at 'atri-net-nih' \(did you mean 'attri-net-nih'"
    ) as near:
        open_checkpoint("atri-net-nih")
    with pytest.raises(UnknownCheckpoint) as far:
        open_checkpoint("/nowhere/at all")
    assert "did you mean" not in str(far.value) and "cx-gan-busi" in str(far.value)
    for said in (near.value.briefly, far.value.briefly):
        assert said.startswith("There is no checkpoint at") and len(said) < 140 and "cx-gan-busi" not in said
