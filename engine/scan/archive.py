"""A zip of slices: its members one at a time and within limits. Nothing is ever written to disk."""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from engine.scan import bounds
from engine.scan.record import UnreadableScan

LIST_END = b"PK\x05\x06"  # the record at the end that says how long the list of members is
LIST_END_64 = b"PK\x06\x06"
STARTS = (b"PK\x03\x04", LIST_END, b"PK\x07\x08")
ARCHIVES = (*STARTS, b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ\0")  # first bytes of archives
ARCHIVE_NAMES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
)


def is_archive(data: bytes) -> bool:
    """Whether a file begins as a zip does."""
    return data.startswith(STARTS)


class Archive:
    """The files in a zip.

    Attributes:
        members: those that may be scans, without the notes that operating systems add.
    """

    def __init__(self, data: bytes):
        """Looks at the list of members and at their names.

        Raises:
            UnreadableScan: for what is no zip, asks for too much, is encrypted, holds archives, or points outside of
                its own folder.
        """
        _check_list(data)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except UNREADABLE as error:
            raise UnreadableScan("The zip archive is damaged or cut off; pack it again.") from error
        everything = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        for entry in everything:
            _check_name(entry)
        self.members = [entry for entry in everything if not _hidden(entry.filename)]
        if not self.members:
            raise UnreadableScan("The zip archive holds no file; send one with the slices of a scan.")
        if len(self.members) > bounds.VOLUME_FILES:
            raise UnreadableScan(
                f"The zip archive holds {len(self.members)} files; the limit is {bounds.VOLUME_FILES}:"
                " send one series at a time."
            )
        size = sum(entry.file_size for entry in everything)
        if size > bounds.VOLUME_BYTES or max(entry.file_size for entry in everything) > bounds.VOLUME_FILE_BYTES:
            raise UnreadableScan(
                f"The zip archive unfolds into {size / 1e6:.0f} million bytes; the limit is"
                f" {bounds.VOLUME_BYTES / 1e6:.0f} million: send one series at a time."
            )

    def read(self, index: int) -> bytes:
        """A member's bytes, never more than the archive's list says.

        Raises:
            UnreadableScan: for a damaged, encrypted or nested one.
        """
        member = self.members[index]
        try:
            with self._zip.open(member) as file:
                data = file.read(member.file_size)
                file.read(1)  # its checksum is looked at behind the last byte
        except RuntimeError as error:  # how zipfile says that a password is needed
            if isinstance(error, NotImplementedError):
                raise UnreadableScan(
                    "The zip archive is packed in a way that is not read here; pack it as plain zip."
                ) from error
            raise UnreadableScan("The zip archive is encrypted; send it without a password.") from error
        except UNREADABLE as error:
            raise UnreadableScan(
                "The zip archive is damaged: a file in it cannot be unpacked; pack it again."
            ) from error
        if data.startswith(ARCHIVES):
            raise UnreadableScan(NESTED)
        return data


NESTED = "The zip archive holds another archive; unpack that one and send its slices."


def _check_list(data: bytes) -> None:
    """Refuses a zip whose list of members is larger than any series needs, before anything reads it."""
    at = data.rfind(LIST_END, max(0, len(data) - (1 << 16) - 22))
    if at < 0:
        raise UnreadableScan("The zip archive is cut off; send the whole file.")
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    end = at
    if (large := data.rfind(LIST_END_64, max(0, at - (1 << 16)), at)) >= 0:
        size, end = max(size % 0xFFFFFFFF, int.from_bytes(data[large + 40 : large + 48], "little")), large
    if size > min(bounds.ARCHIVE_LIST_BYTES, end):
        raise UnreadableScan(
            f"The zip archive's list of files is {size / 1e6:.1f} million bytes long; send one series at a time."
        )


def _check_name(member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or ":" in "".join(parts[:1]):
        raise UnreadableScan("The zip archive holds a file whose name points outside of its own folder; pack it again.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnreadableScan("The zip archive holds a link to another file; pack the file itself.")
    if name.lower().endswith(ARCHIVE_NAMES):
        raise UnreadableScan(NESTED)
    if member.flag_bits & 1:
        raise UnreadableScan("The zip archive is encrypted; send it without a password.")


def _hidden(name: str) -> bool:
    """Whether a file is an operating system's own note beside the others."""
    parts = PurePosixPath(name).parts or ("",)
    return parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini")
