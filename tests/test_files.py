"""Promises of writing: a name stands for a whole file, a full disk is one sentence, and nothing half done is left."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import files
from engine.files import UnwritableFile, file_stems, replace_folder, scratch_beside, staged, write_whole
from tests.places import ROOT


@pytest.fixture
def full(monkeypatch):
    """full(n): from the n-th call on that writes, makes or renames something, counted from 0, there is no room."""

    def at(count):
        calls = iter(range(10_000))
        for module, name in ((os, "fsync"), (os, "replace"), (files.tempfile, "mkdtemp"), (os, "mkdir")):
            kept = getattr(module, name)

            def limited(*args, kept=kept, **kwargs):
                if next(calls) >= count:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return kept(*args, **kwargs)

            monkeypatch.setattr(module, name, limited)

    return at


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path):
    write_whole(tmp_path / "a" / "b" / "file.txt", "höher")
    write_whole(tmp_path / "a" / "b" / "file.txt", b"lower")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file.txt"]
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == b"lower"
    assert oct((tmp_path / "a" / "b" / "file.txt").stat().st_mode & 0o777) == oct(0o666 & ~current_mask())


def current_mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("count", range(4))
def test_a_full_disk_is_one_sentence_and_leaves_nothing(count, full, tmp_path):
    full(count)
    with pytest.raises(UnwritableFile, match="^The disk is full: .* make room there, or name another folder.$"):
        write_whole(tmp_path / "new" / "file.txt", "words")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", range(3))
def test_a_full_disk_leaves_what_stood_there(count, full, tmp_path):
    write_whole(tmp_path / "file.txt", "before")
    full(count)
    with pytest.raises(UnwritableFile):
        write_whole(tmp_path / "file.txt", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"] and (
        tmp_path / "file.txt"
    ).read_text() == "before"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_really_full(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        write_whole(tmp_path / "small", b"x")
        with pytest.raises(UnwritableFile, match="The disk is full"), staged(tmp_path / "set", marker="last") as put:
            put("first", bytes(100_000))
            put("last", bytes(1_000_000))
        assert [path.name for path in tmp_path.iterdir()] == ["small"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_other_reasons_are_named(tmp_path):
    (tmp_path / "file").write_text("words")
    with pytest.raises(UnwritableFile, match=r"Nothing could be written to .*file \(.*\); name another folder"):
        write_whole(tmp_path / "file" / "below", "words")
    assert (tmp_path / "file").read_text() == "words"


def test_files_that_belong_together_come_together_the_marker_last(tmp_path, monkeypatch):
    (tmp_path / "index").write_text("old")
    seen = []
    kept = os.replace

    def watched(source, target):
        seen.append(
            (Path(target).name, sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")))
        )
        kept(source, target)

    monkeypatch.setattr(os, "replace", watched)
    with staged(tmp_path, marker="index") as put:
        put("index", "new")
        put("a", b"1")
        put("b", b"2")
        assert (tmp_path / "index").read_text() == "old"
    assert seen == [("a", []), ("b", ["a"]), ("index", ["a", "b"])]
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "index"]
        and (tmp_path / "index").read_text() == "new"
    )


def test_an_error_in_between_is_told_as_it_is_and_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "new") as put:
        put("a", b"1")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), scratch_beside(tmp_path / "some" / "where" / "new"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("able", [True, False])
def test_a_folder_is_replaced_by_another(able, tmp_path, monkeypatch):
    if not able:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    for name in ("old", "new"):
        write_whole(tmp_path / name / "file", name)
    replace_folder(tmp_path / "new", tmp_path / "old", tmp_path / "aside")
    assert (tmp_path / "old" / "file").read_text() == "new" and (tmp_path / "aside" / "file").read_text() == "old"
    assert not (tmp_path / "new").exists()


WRITER = """
import sys
sys.path.insert(0, {root!r})
from engine.files import staged
number = 0
while True:
    with staged({folder!r}, marker="index") as put:
        for name in "abc":
            put(name, (str(number) + "\\n") * 200_000)
        put("index", str(number))
    number += 1
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_no_half_file_under_its_name(tmp_path):
    for attempt in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER.format(root=str(ROOT), folder=str(tmp_path / "out"))], stdout=subprocess.PIPE
        )
        writer.stdout.readline()  # it has written once
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        whole = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if not files.unfinished(path)}
        for name in set(whole) - {"index"}:
            assert len(set(whole[name].split())) == 1 and whole[name].count("\n") == 200_000
        if "index" in whole:
            assert set(whole) == {"a", "b", "c", "index"}
            assert {whole[name].split("\n", 1)[0] for name in "abc"} == {whole["index"]}


def test_names_of_findings_become_different_names_of_files():
    stems = file_stems(
        ["A+", "A-", "a", "Pleural Effusion", "x" * 300, "x" * 299 + "y", "é" * 200, "+", "../../etc/passwd", "", "CON"]
    )
    assert (
        len(set(stems.values())) == len(stems) and stems["Pleural Effusion"] == "pleural_effusion" and stems["a"] == "a"
    )
    for stem in stems.values():
        assert 0 < len(stem.encode()) < 150 and "/" not in stem and not stem.startswith(".")
    assert file_stems(["A+", "A-"])["A+"] == stems["A+"]
