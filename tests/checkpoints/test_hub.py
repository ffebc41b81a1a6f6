"""A checkpoint on the Hub is pinned, comes from the cache first, and arrives as it was pushed."""

import json

import huggingface_hub.constants
import numpy as np
import pytest

from engine.checkpoints import hub, limits
from engine.checkpoints.format import CARD_SECTIONS, RefusedCheckpoint, examine, save_checkpoint
from engine.checkpoints.limits import LARGEST_WEIGHTS
from engine.checkpoints.resolve import open_checkpoint
from engine.commands.push import push
from engine.registry import methods
from tests.checkpoints.stand_in_hub import Repository, StandInHub

NAME = "clinic/small"


def point_at(monkeypatch, address):
    """What HF_ENDPOINT does, after the client was imported."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The stand-in as the only Hub there is, with an empty cache."""
    with StandInHub() as server:
        point_at(monkeypatch, server.address)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)  # the stand-in speaks LFS only
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        yield server


@pytest.fixture
def checkpoint(tmp_path):
    return save_checkpoint(
        tmp_path / "small",
        method=sorted(methods())[0],
        config={"findings": ["nodule"], "network": {}, "preprocessing": {"size": 32}, "thresholds": {"nodule": 0.5}},
        weights={"kernel": np.arange(4096, dtype=np.float32).reshape(64, 64)},  # 16 kB: travels through LFS
        card="".join(f"## {title}\n\nTold in full.\n\n" for title in CARD_SECTIONS[:-1]),
    )


@pytest.fixture
def pushed(stand_in, checkpoint):
    """The address of `checkpoint` on the stand-in, tagged v1, with nothing in the cache yet."""
    address = hub.push(checkpoint.folder, NAME, tag="v1", token=stand_in.token)
    stand_in.asked.clear()
    return address


def test_what_was_pushed_opens_from_its_address_the_same(pushed, checkpoint, stand_in):
    opened = open_checkpoint(pushed)
    assert (opened.sha256, opened.config, opened.card) == (checkpoint.sha256, checkpoint.config, checkpoint.card)
    assert opened.weights()["kernel"].equal(checkpoint.weights()["kernel"])
    assert opened.name == "small" and opened.source == f"hub {pushed.removeprefix('hub:')}"
    assert ("GET", f"/lfs/object/{checkpoint.sha256}") in stand_in.asked


def test_the_command_prints_an_address_that_opens(stand_in, checkpoint, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", stand_in.token)
    push(str(checkpoint.folder), NAME)
    address = capsys.readouterr().out.split()[0]
    assert open_checkpoint(address).sha256 == checkpoint.sha256


def test_the_front_page_of_the_repository_is_the_card(pushed, checkpoint, stand_in):
    front = stand_in.repositories[NAME].commits[pushed.split("@")[1]]["README.md"].decode()
    assert front.startswith("---\n") and front.endswith(checkpoint.card)


def test_a_tag_opens_and_the_source_says_which_commit_it_was(pushed):
    assert open_checkpoint(f"hub:{NAME}@v1").source == f"hub {pushed.removeprefix('hub:')}"


@pytest.mark.parametrize("by", ["commit", "tag"])
def test_what_is_cached_opens_without_asking_the_network(pushed, checkpoint, stand_in, by):
    address = pushed if by == "commit" else f"hub:{NAME}@v1"
    first = open_checkpoint(address)
    stand_in.asked.clear()
    assert open_checkpoint(address) == first
    assert stand_in.asked == []


def test_a_tag_that_moves_on_the_hub_does_not_move_here(pushed, stand_in):
    first = open_checkpoint(f"hub:{NAME}@v1")
    repository = stand_in.repositories[NAME]
    repository.tags["v1"] = repository.commit({"card.md": b"another one"})
    assert open_checkpoint(f"hub:{NAME}@v1") == first


def test_a_half_fetched_checkpoint_is_completed(pushed, checkpoint):
    folder, _ = hub.fetch(NAME, pushed.split("@")[1])
    (folder / "card.md").unlink()
    assert open_checkpoint(pushed).card == checkpoint.card


def test_a_branch_is_refused_with_the_commit_to_pin(pushed):
    with pytest.raises(RefusedCheckpoint, match=f"a branch, which moves; pin what it is now: {pushed}"):
        open_checkpoint(f"hub:{NAME}@main")


def test_another_branch_is_refused_as_well(pushed, stand_in):
    stand_in.repositories[NAME].branches["trial"] = pushed.split("@")[1]
    with pytest.raises(RefusedCheckpoint, match="trial of clinic/small is a branch"):
        open_checkpoint(f"hub:{NAME}@trial")


def test_an_unknown_tag_lists_those_that_exist(pushed):
    with pytest.raises(RefusedCheckpoint, match=r"no tag v2 \(its tags: v1\)"):
        open_checkpoint(f"hub:{NAME}@v2")


def test_an_unknown_commit_and_an_unknown_repository_are_told_apart(pushed):
    with pytest.raises(RefusedCheckpoint, match="has no revision"):
        open_checkpoint(f"hub:{NAME}@{'0' * 40}")
    with pytest.raises(RefusedCheckpoint, match="no repository clinic/other"):
        open_checkpoint(f"hub:clinic/other@{'0' * 40}")


@pytest.mark.parametrize(
    "address",
    [
        "hub:clinic/small",
        "hub:clinic/small@",
        "hub:small@v1",
        "hub:../small@v1",
        "hub:clinic/small@../v1",
        "hub:clinic/small@..",
        "hub:clinic/small@v1\n",
        "hub:cli--nic/small@v1",
    ],
)
def test_an_address_that_is_not_pinned_or_not_an_address_asks_nothing(stand_in, address):
    with pytest.raises(RefusedCheckpoint, match="with a commit hash or a tag"):
        open_checkpoint(address)
    assert stand_in.asked == []


def test_neither_cached_nor_reachable_is_one_sentence(stand_in, monkeypatch):
    point_at(monkeypatch, "http://127.0.0.1:9")  # the discard port: nobody listens
    for revision in ("v1", "0" * 40):
        with pytest.raises(RefusedCheckpoint, match="not in the cache .* and the Hub does not answer") as refusal:
            open_checkpoint(f"hub:{NAME}@{revision}")
        assert "\n" not in str(refusal.value)


def test_the_clients_own_offline_switch_is_obeyed(pushed, stand_in, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RefusedCheckpoint, match="not in the cache"):
        open_checkpoint(pushed)
    assert stand_in.asked == []


def downloads(stand_in):
    return [path for verb, path in stand_in.asked if verb == "GET" and ("/resolve/" in path or "/lfs/" in path)]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"pytorch_model.bin": b"pickle", "config.json": b"{}", "card.md": b""}, "has no weights.safetensors"),
        ({"weights.safetensors": b"", "config.json": bytes(10**6 + 1), "card.md": b""}, "at most 1,000,000"),
    ],
)
def test_what_cannot_be_a_checkpoint_is_refused_before_it_is_downloaded(stand_in, files, sentence):
    repository = stand_in.repositories["clinic/odd"] = Repository()
    with pytest.raises(RefusedCheckpoint, match=sentence):
        open_checkpoint(f"hub:clinic/odd@{repository.commit(files)}")
    assert downloads(stand_in) == []


def unlike(checkpoint, method, weights):
    """The three files of `checkpoint` under another method's name, with other weights."""
    config = json.dumps({**checkpoint.config, "method": method}).encode()
    return {"weights.safetensors": weights, "config.json": config, "card.md": checkpoint.card.encode()}


def test_weights_too_large_for_their_method_are_refused_with_only_the_configuration_downloaded(stand_in, checkpoint):
    repository = stand_in.repositories["clinic/large"] = Repository()
    commit = repository.commit(unlike(checkpoint, checkpoint.method, bytes(LARGEST_WEIGHTS + 1)))
    with pytest.raises(RefusedCheckpoint, match="at most 25,000,000"):
        open_checkpoint(f"hub:clinic/large@{commit}")
    assert {path.split("/")[-1] for path in downloads(stand_in)} <= {"config.json"}


def test_a_method_that_may_be_larger_is_fetched_at_that_size(stand_in, checkpoint, monkeypatch):
    monkeypatch.setitem(limits._limits, "onnx", 2 * LARGEST_WEIGHTS)
    repository = stand_in.repositories["clinic/large"] = Repository()
    folder, _ = hub.fetch("clinic/large", repository.commit(unlike(checkpoint, "onnx", bytes(LARGEST_WEIGHTS + 1))))
    assert (folder / "weights.safetensors").stat().st_size == LARGEST_WEIGHTS + 1


def test_only_its_own_files_are_downloaded(pushed, stand_in):
    commit = stand_in.repositories[NAME].commit({"run_me.py": b"raise SystemExit"})
    folder, _ = hub.fetch(NAME, commit)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.json",
        "metrics.json",
        "weights.safetensors",
    ]


def test_a_checkpoint_pushed_before_there_were_metrics_is_fetched_from_the_hub_and_then_from_the_cache(
    stand_in, checkpoint
):
    files = {name: (checkpoint.folder / name).read_bytes() for name in hub.FILES}
    repository = stand_in.repositories["clinic/older"] = Repository()
    address = f"hub:clinic/older@{repository.commit(files)}"
    assert open_checkpoint(address).metrics == checkpoint.metrics
    stand_in.asked.clear()
    assert open_checkpoint(address).sha256 == checkpoint.sha256 and stand_in.asked == []


def test_weights_swapped_on_the_hub_are_refused(pushed, stand_in):
    swapped = stand_in.repositories[NAME].commit({"weights.safetensors": b"\x08\0\0\0\0\0\0\0{}      "})
    with pytest.raises(RefusedCheckpoint):
        open_checkpoint(f"hub:{NAME}@{swapped}")


def test_a_checkpoint_that_does_not_open_is_not_pushed(stand_in, checkpoint):
    (checkpoint.folder / "card.md").write_text("TODO")
    with pytest.raises(RefusedCheckpoint, match="card"):
        hub.push(checkpoint.folder, NAME, token=stand_in.token)
    assert stand_in.asked == []


def test_a_taken_tag_is_refused_before_anything_is_committed(pushed, checkpoint, stand_in):
    commits = dict(stand_in.repositories[NAME].commits)
    with pytest.raises(RefusedCheckpoint, match="already has a tag v1"):
        hub.push(checkpoint.folder, NAME, tag="v1", token=stand_in.token)
    assert stand_in.repositories[NAME].commits == commits


def test_a_second_push_is_a_second_commit_and_the_first_stays_open(pushed, checkpoint, stand_in, tmp_path):
    other = save_checkpoint(
        tmp_path / "other",
        method=checkpoint.method,
        config=checkpoint.config,
        card=checkpoint.card,
        weights={"kernel": np.ones((64, 64), np.float32)},
    )
    second = hub.push(other.folder, NAME, token=stand_in.token)
    assert open_checkpoint(second).sha256 == other.sha256 != checkpoint.sha256
    assert open_checkpoint(pushed).sha256 == checkpoint.sha256


def test_a_token_that_may_not_write_is_one_sentence(stand_in, checkpoint):
    with pytest.raises(RefusedCheckpoint, match="was not pushed .*hf auth login"):
        hub.push(checkpoint.folder, NAME, token="hf_wrong")
    assert examine(checkpoint.folder) == checkpoint
