"""The lookup tables of DICOM: modality, VOI and palette."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.tag import Tag

from engine.scan.colour import has_colour
from engine.scan.dicom_header import Header
from engine.scan.record import UnreadableScan

MOST_ENTRIES = 65_536
BROKEN = "The picture's lookup table is damaged; export the picture again without one."
UNCERTAIN = (
    "The picture's lookup table is half as long as it says, so that the width of its entries is not certain; export "
    "the picture again without one."
)


class BrokenTable(UnreadableScan):
    """A lookup table that is none; the stored values can be told without it."""


class UncertainTable(BrokenTable):
    """A lookup table that can be taken in two ways, so that neither it nor its absence is right."""


@dataclass(frozen=True)
class Table:
    """Stored value -> value: entry i is for first + i; the ends hold beyond.

    Attributes:
        entries: (n,) float32.
        first: the stored value of the first entry.
        bits: bits per entry.
        coloured: the entries are the luminance of a palette that has colours.
    """

    entries: np.ndarray
    first: int
    bits: int
    coloured: bool = False

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """float32, the shape of `stored`."""
        return self.entries[np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1)]

    def rise(self) -> tuple[float, float]:
        """(centre, width) of the inputs between which the output leaves its lowest and reaches its highest value."""
        low, high = self.entries.min(), self.entries.max()
        between = np.flatnonzero((self.entries > low) & (self.entries < high))
        begin, end = (between[0] - 1, between[-1] + 1) if len(between) else (0, len(self.entries) - 1)
        return self.first + (begin + end) / 2, float(max(end - begin, 1))

    @property
    def falls(self) -> bool:
        """Whether the output ends lower than it begins: a negative."""
        return bool(self.entries[-1] < self.entries[0])


def luminance(red, green, blue) -> np.ndarray:
    """Rec. 601 luma in float64: equal channels come out exactly as they went in."""
    red, green, blue = (np.asarray(channel, np.float64) for channel in (red, green, blue))
    return (299 * red + 587 * green + 114 * blue) / 1000


def first_table(header: Header, sequence: str, signed: bool) -> Table | None:
    """The table of the first item of a Modality LUT or VOI LUT sequence (PS3.3 C.11.1); None without one, or for an
    empty item.

    Args:
        signed: whether the values that go in are, and the first mapped value with them.

    Raises:
        BrokenTable: a sequence or a table that cannot be told.
    """
    try:
        items = header.items(sequence)
    except (UnreadableScan, RecursionError, MemoryError):
        raise
    except Exception as error:  # pydicom raises many kinds over a damaged sequence
        raise BrokenTable(BROKEN) from error
    for item in items[:1]:
        if item.raw("LUTDescriptor") or item.raw("LUTData"):
            count, first, bits = _descriptor(item, "LUTDescriptor", signed)
            return Table(_entries(item, "LUTData", count, bits).astype(np.float32), first, bits)
    return None


def palette_table(header: Header, signed: bool) -> Table:
    """Palette colour to grey in one table (PS3.3 C.7.6.3.1.5 and C.7.9.2)."""
    channels = []
    count, first, bits = _descriptor(header, "RedPaletteColorLookupTableDescriptor", signed)
    for colour in ("Red", "Green", "Blue"):
        descriptor, name = (f"{colour}PaletteColorLookupTable{part}" for part in ("Descriptor", "Data"))
        if colour != "Red" and header.has(descriptor):  # all three are to be the same
            count, first, bits = _descriptor(header, descriptor, signed)
        if header.has(name):
            channels.append(_entries(header, name, count, bits))
        else:
            channels.append(_expand(_numbers(header, "Segmented" + name, bits), count))
    longest = max(map(len, channels))
    channels = [np.pad(channel, (0, longest - len(channel)), mode="edge") for channel in channels]
    bits = 16 if max(channel.max() for channel in channels) > 255 else 8
    coloured = has_colour(np.stack(channels, axis=-1)[None], 2**bits - 1)
    return Table(luminance(*channels).astype(np.float32), first, bits, coloured)


def _descriptor(header: Header, name: str, signed: bool) -> tuple[int, int, int]:
    values = header.words16(name)
    if len(values) < 3:
        raise BrokenTable(BROKEN)
    count, first, bits = (int(value) for value in values[:3])
    if first > 32_767 and (signed or header.elements.get_item(Tag(name)).VR == "SS"):
        first -= 65_536
    if not 1 <= bits <= 16:
        raise BrokenTable(BROKEN)
    return count or MOST_ENTRIES, first, bits


def _entries(header: Header, name: str, count: int, bits: int) -> np.ndarray:
    """(1 to count,) integers, as wide as the descriptor says: 16 bits, or for at most 8 bits one byte or a word each.

    A table that is shorter than its descriptor ends early: its last entry holds beyond, like that of any other.
    """
    size = len(header.raw(name))
    if bits <= 8 and size <= count + 1:  # bytes, filled up to an even number
        values = _numbers(header, name, 8)[:count]
    elif count > 2 and size in (count, count + count % 2):
        raise UncertainTable(UNCERTAIN)
    else:
        values = header.words16(name)[:count]
    if not len(values):
        raise BrokenTable(BROKEN)
    return values


def _numbers(header: Header, name: str, bits: int) -> np.ndarray:
    """(n,) integers of a table; of two bytes in one word the first is the lower one, in every byte order."""
    if bits > 8:
        return header.words16(name)
    data = np.frombuffer(header.raw(name), np.uint8)
    if not header.little_endian(name) and len(data) % 2 == 0 and header.elements.get_item(Tag(name)).VR != "OB":
        return data.reshape(-1, 2)[:, ::-1].reshape(-1)
    return data


def _expand(words: np.ndarray, count: int) -> np.ndarray:
    """(count,) values of a segmented table: runs of values (0) and straight lines (1); copies of segments
    (2) are refused.
    """
    words = words.tolist()
    values: list[int] = []
    at = 0
    while at + 2 < len(words) and len(values) < count:
        kind, length = words[at], words[at + 1]
        if kind == 0:
            values.extend(words[at + 2 : at + 2 + length])
            at += 2 + length
        elif kind == 1 and values:
            start, end = values[-1], words[at + 2]
            values.extend(
                np.rint(start + (end - start) * np.arange(1, length + 1) / max(length, 1)).astype(int).tolist()
            )
            at += 3
        else:
            raise UnreadableScan(
                "The picture's palette is stored in a way that is not read here; export the picture as plain RGB."
            )
    if len(values) < count:
        raise UnreadableScan(BROKEN)
    return np.asarray(values[:count], np.uint16)
