"""The scans that a reader has open: the sample, drawn patients and uploads. File names are never kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st

from engine.checkpoints.resolve import shipped
from engine.datasets import sample_heads
from engine.datasets.phantom.collection import Marker, Phantom
from engine.datasets.vagan_synthetic import VAGANSynthetic
from engine.scan import Scan, frame, read_scan
from pages.components import kept_scans, reading, shelf
from pages.components.shelf import Entry, OpenScan
from server import sessions
from viewer import VolumePixels

SAMPLE = "RG1_UNCR.dcm"  # of the package pydicom-data
PHANTOM_SIZE, PHANTOM_SEED = 512, 2  # the seed of no checkpoint's training data
PATIENTS = {  # name to (which patient, with a tag burned in)
    "Phantom patient 1": (7, False),
    "Phantom patient 2": (21, False),
    "Phantom patient 3": (15, False),
    "Phantom patient 4": (2, False),
    "Phantom patient 5": (16, False),
    "Phantom patient 6": (4, False),
    "Phantom patient 7": (32, False),
    "Phantom patient 2 with a tag": (21, True),
}
SYNTHETIC = {
    "Synthetic picture 1": 5,
    "Synthetic picture 2": 7,
    "Synthetic picture 3": 8,
}  # name to which; the last is normal
HEADS = {"Stroke phantom head": "large", "Stroke phantom head, small infarct": "small"}  # name to which sample head
IMPLANTED = "Sample radiograph with fluid put in"
BRAIN_WINDOW = (40.0, 80.0)  # HU
LONGEST_LABEL = 60
MOST_REASONS = 6  # lines above the view
EXPLAINED_WELL = (
    "attri-net-phantom",
    "Phantom patient 7",
)  # the checkpoint that takes the effusions of this patient away as they were drawn
_DRAWINGS: dict[str, str] = {}  # sha256 of a drawn scan to its name above
_first_start = threading.Lock()


@st.cache_resource(max_entries=1, show_spinner=False)
def sample() -> OpenScan | None:
    """The sample radiograph of pydicom-data, or None where that package is missing."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file(SAMPLE, download=False)
    return None if path is None else OpenScan("Sample radiograph", read_scan(Path(path).read_bytes()))


@st.cache_resource(max_entries=len(PATIENTS), show_spinner=False)
def phantom_patient(name: str) -> OpenScan:
    """A drawn chest, with its truth beside it."""
    index, tagged = PATIENTS[name]
    tag = Marker(share_of_positives=1.0) if tagged else None
    phantom = Phantom(index + 1, seed=PHANTOM_SEED, size=PHANTOM_SIZE, marker=tag)
    tags = {"BodyPartExamined": "CHEST", "ViewPosition": str(phantom.attributes["view_position"][index])}
    truth = tuple(f for f, present in zip(phantom.findings, phantom.labels[index]) if present)
    scan = Scan.of(phantom.image(index), "radiograph", tags=tags)
    _DRAWINGS[scan.sha256] = name
    return OpenScan(name, scan, phantom.name, truth)


@st.cache_resource(max_entries=len(SYNTHETIC), show_spinner=False)
def synthetic_picture(name: str) -> OpenScan:
    """A picture of noise and shapes, with its truth beside it."""
    pictures = VAGANSynthetic(SYNTHETIC[name] + 1, seed=PHANTOM_SEED)
    picture = pictures.image(SYNTHETIC[name])
    truth = pictures.findings if pictures.labels[SYNTHETIC[name], 0] else ()
    scan = Scan.of(picture, "unknown", window=(0.0, 1.2), bits=32)
    _DRAWINGS[scan.sha256] = name
    return OpenScan(name, scan, pictures.name, tuple(truth))


@st.cache_resource(max_entries=len(HEADS), show_spinner=False)
def stroke_head(name: str) -> OpenScan:
    """A drawn CT of the head, with its truth beside it."""
    head = sample_heads.sample_head(HEADS[name])
    scan = Scan.of(
        head.hu,
        "CT",
        head.spacing_mm,
        window=BRAIN_WINDOW,
        bits=16,
        tags={"BodyPartExamined": "HEAD"},
        affine=head.affine,
    )
    _DRAWINGS[scan.sha256] = name
    return OpenScan(name, scan, sample_heads.COLLECTION, ("Infarct",))


@st.cache_resource(max_entries=1, show_spinner=False)
def implanted_film() -> OpenScan:
    """The sample radiograph with fluid put in, whose true counterfactual is the film itself; a drawn patient where
    there is no sample.
    """
    from engine.datasets.implant_lesions import Place, film_with, make
    from engine.datasets.lung_fields import lung_fields

    film = sample()
    lungs = None if film is None else lung_fields(film.scan.pixels)
    if film is None or lungs is None:
        return phantom_patient("Phantom patient 1")
    lesions = make("Effusion", np.random.default_rng(0), lungs, lambda: Place(0.38, 0.56, 0.20, 0.27), False)
    pixels = film_with(film.scan.pixels, lungs, lesions)
    scan = Scan.of(pixels, "radiograph", window=film.scan.window, bits=film.scan.bits, tags=film.scan.tags)
    _DRAWINGS[scan.sha256] = IMPLANTED
    return OpenScan(IMPLANTED, scan, "implants", ("Effusion",))


def true_change(opened: OpenScan, *findings: str) -> np.ndarray | None:
    """(H, W), of a volume (S, H, W), float32: what the same drawing without all of `findings` adds to a drawn scan;
    None where nobody knows.
    """
    name = _DRAWINGS.get(opened.scan.sha256) if opened.drawn_by else None
    if name is None:
        return None
    present = tuple(sorted(set(findings) & set(opened.truth)))
    nothing = np.zeros((1, 2, 2) if name in HEADS else (2, 2), np.float32)
    return _true_change(name, present) if present else nothing


@lru_cache(maxsize=16)
def _true_change(name: str, findings: tuple[str, ...]) -> np.ndarray:
    if name == IMPLANTED:
        film = sample()
        return np.zeros((2, 2), np.float32) if film is None else film.scan.pixels - implanted_film().scan.pixels
    if name in HEADS:
        return sample_heads.sample_head(HEADS[name]).change
    if name in SYNTHETIC:
        pictures, index = VAGANSynthetic(SYNTHETIC[name] + 1, seed=PHANTOM_SEED), SYNTHETIC[name]
    else:
        index, tagged = PATIENTS[name]
        pictures = Phantom(
            index + 1, seed=PHANTOM_SEED, size=PHANTOM_SIZE, marker=Marker(share_of_positives=1.0) if tagged else None
        )
    return pictures.counterfactual(index, without=findings) - pictures.image(index)


def drawn(name: str) -> OpenScan:
    """The drawn picture called `name`, of `PATIENTS`, `SYNTHETIC` or `HEADS`, or `IMPLANTED`."""
    if name == IMPLANTED:
        return implanted_film()
    if name in HEADS:
        return stroke_head(name)
    return synthetic_picture(name) if name in SYNTHETIC else phantom_patient(name)


def scans() -> dict[str, Entry]:
    """The reader's list by identity, in the order of opening; on first start the sample, or a phantom in its place,
    and before it a drawn patient whom a checkpoint at hand explains well.
    """
    mine = shelf.mine()
    with _first_start:
        if not mine.started:
            first = sample()
            if first is None:
                first = phantom_patient("Phantom patient 1")
                st.session_state.notice = (
                    "The sample film needs the package pydicom-data; a drawn patient stands in for it."
                )
            if EXPLAINED_WELL[0] in shipped():
                _add(phantom_patient(EXPLAINED_WELL[1]))
            _add(first)
            mine.started = True
    for entry in mine.entries.values():  # drawn before the server was started anew
        if entry.small is not None and entry.small.drawn_by and entry.sha256 not in _DRAWINGS and _is_drawn(entry.name):
            _DRAWINGS[entry.sha256] = entry.name
    if st.session_state.get("scan") not in mine.entries:
        known = [key for key, entry in mine.entries.items() if entry.packed is not None]
        st.session_state.scan = mine.chosen if mine.chosen in known else known[0] if known else None
    return mine.entries


def _is_drawn(name: str) -> bool:
    return name in PATIENTS or name in SYNTHETIC or name in HEADS or name == IMPLANTED


def _add(opened: OpenScan) -> Entry:
    entry = Entry(opened.name, opened.name)
    entry.open(opened)
    entry.pack()
    entry.done.set()
    shelf.mine().add(entry)
    return entry


def chosen_entry() -> Entry | None:
    """The line of the list that is on show."""
    return scans().get(st.session_state.get("scan"))


def chosen() -> OpenScan | None:
    """The scan on show: the very same record as long as it is the same scan."""
    entry = chosen_entry()
    if entry is None or entry.packed is None:
        return None
    belongings = sessions.belongings()
    shown_scan = belongings.get("scan on show")
    if shown_scan is None or shown_scan[0] is not entry:
        shown_scan = belongings["scan on show"] = (entry, entry.opened())
    return shown_scan[1] if shown_scan[1].name == entry.title else replace(shown_scan[1], name=entry.title)


def chosen_volume(opened: OpenScan) -> VolumePixels | None:
    """The voxels of the scan on show as the viewer shows them; None for a single picture."""
    entry = chosen_entry()
    if opened.slices == 1 or entry is None or entry.packed is None:
        return None
    return entry.packed.volume


def chosen_slice(opened: OpenScan) -> Scan:
    """The slice on show, the very same record as long as it is the same slice."""
    if opened.slices == 1:
        return frame(opened.scan, 0)
    index, _ = place_of(opened)
    belongings = sessions.belongings()
    shown_slice = belongings.get("slice on show")
    if shown_slice is None or shown_slice[:2] != (opened.scan.sha256, index):
        shown_slice = belongings["slice on show"] = (opened.scan.sha256, index, frame(opened.scan, index))
    return shown_slice[2]


def place_of(opened: OpenScan) -> tuple[int, int] | None:
    """Which slice is on show, from 0, and how many there are; None for a single picture."""
    if opened.slices == 1:
        return None
    return min(st.session_state.get(f"slice {opened.id}", opened.slices // 2), opened.slices - 1), opened.slices


def turn_slice(opened: OpenScan, index: int) -> None:
    """Shows another slice."""
    st.session_state[f"slice {opened.id}"] = index


def turn_to(identity: str) -> None:
    """Shows another scan of the list; one that is not in it, or not read yet, is ignored, since the wish comes from the
    browser.
    """
    mine = shelf.mine()
    entry = mine.entries.get(identity)
    if entry is not None and entry.packed is not None:
        st.session_state.scan = mine.chosen = identity
        st.session_state.notice = None
        sessions.belongings().pop("turn to", None)


def show(opened: OpenScan) -> None:
    """Opens a drawn scan, or turns to it when it is open already."""
    mine = shelf.mine()
    same = next(
        (
            key
            for key, entry in scans().items()
            if entry.small and entry.small.name == opened.name and entry.small.drawn_by == opened.drawn_by
        ),
        None,
    )
    turn_to(same or _add(opened).id)
    if same is None and opened.name in HEADS:  # opens where there is most to see
        change = sample_heads.sample_head(HEADS[opened.name]).change
        st.session_state[f"slice {st.session_state.scan}"] = int(np.abs(change).sum(axis=(1, 2)).argmax())
    mine.started = True


def take(files: Mapping[str, tuple[str, bytes]]) -> list[Entry]:
    """Lists uploaded files, (name, bytes) by their identity, and has them read; returns the entry of each.

    What is on show stays until the first of them can be shown, see `settle`. A run of the page that is stopped on its
    way takes no file twice: nothing at which it may be stopped lies between the reading and its note.
    """
    mine, belongings = shelf.mine(), sessions.belongings()
    taken = belongings.get("taken", {})
    new = [identity for identity in files if identity not in taken]
    taken = taken | dict(zip(new, reading.take(mine, [files[identity] for identity in new]), strict=True))
    belongings["taken"] = taken = {identity: taken[identity] for identity in files}
    entries = list(dict.fromkeys(taken.values()))
    belongings["drop"] = belongings["turn to"] = entries
    entries[0].done.wait(1.0)  # one file is mostly read within that, and shown without a detour
    return list(taken.values())


def settle() -> None:
    """After a drop: turns to the first file that could be opened, and says once all are read which could not."""
    belongings = sessions.belongings()
    if (entry := next_to_show()) is not None and entry.done.is_set():
        turn_to(entry.same_as or entry.id)
    entries = belongings.get("drop", ())
    if entries and all(entry.done.is_set() for entry in entries):
        del belongings["drop"]
        belongings.pop("turn to", None)
        refused = [entry for entry in entries if entry.reason]
        said = [said_of_refused(refused, len(entries))] if refused else []
        said += said_of_same([entry for entry in entries if entry.same_as], shelf.mine().entries)
        said += [] if refused else list(dict.fromkeys(note for entry in entries for note in entry.notes))
        if said:
            st.session_state.notice = "\n".join(said[:MOST_REASONS])


def said_of_same(again: Sequence[Entry], listed: Mapping[str, Entry]) -> list[str]:
    """A sentence on the files whose pixels are open already, none where there are none.

    Args:
        again: the entries of those files, which are not in the list.
        listed: the list.
    """
    if not again:
        return []
    titles = list(dict.fromkeys(listed[entry.same_as].title for entry in again if entry.same_as in listed))
    some = f"{', '.join(titles[:3])}{' and others' if len(titles) > 3 else ''}" if titles else "a scan that was closed"
    if len(again) == 1:
        return [f"One file has the same pixels as {some}, which is open already; it is listed once."]
    return [f"{len(again)} files have the same pixels as {some}, open already; each is listed once."]


def said_of_refused(refused: Sequence[Entry], sent: int) -> str:
    """How many of the files that were sent could not be opened, and a line for each reason, with the scans
    that it is of.
    """
    if sent == 1:
        return refused[0].reason
    whose: dict[str, list[str]] = {}
    for entry in refused:
        whose.setdefault(entry.reason, []).append(entry.title)
    lines = [f"{', '.join(names)}: {reason}" for reason, names in whose.items()]
    if len(lines) > MOST_REASONS:
        lines[MOST_REASONS - 1 :] = [f"{len(lines) - MOST_REASONS + 1} further reasons stand in the list."]
    return "\n".join([f"{len(refused)} of {sent} files could not be opened.", *lines])


def next_to_show() -> Entry | None:
    """The dropped file that the page turns to when it is read, unless the reader turns to another scan before."""
    return next((entry for entry in sessions.belongings().get("turn to", ()) if not entry.reason), None)


def rename(identity: str, label: str) -> None:
    """Gives a scan the reader's own label; an empty one takes it back."""
    entry = shelf.mine().entries.get(identity)
    if entry is not None:
        entry.label = "".join(letter for letter in label if letter.isprintable()).strip()[:LONGEST_LABEL]


def close(identity: str) -> None:
    """Closes a scan; `reopen` brings it back, if it was one."""
    mine = shelf.mine()
    entry = mine.entries.get(identity)
    if entry is None:
        return
    place = list(mine.entries).index(identity)
    mine.remove(identity)
    if not entry.reason:
        mine.closed = (place, entry)
    if st.session_state.get("scan") == identity:
        left = [key for key, other in mine.entries.items() if other.packed is not None]
        before = sum(list(mine.entries).index(key) < place for key in left)
        st.session_state.scan = mine.chosen = left[min(before, len(left) - 1)] if left else None


def close_refused() -> None:
    """Takes every file that could not be opened off the list, and what was said of them off the page."""
    mine = shelf.mine()
    for identity, entry in mine.entries.items():
        if entry.reason:
            mine.remove(identity)
    st.session_state.notice = None


def kept_how() -> str:
    """What becomes of the open scans when the server is started anew, in one line."""
    keeper = kept_scans.KEEPER
    if keeper is None:
        return "Open scans are in memory only, and nothing of a patient is on disk."
    if keeper.trouble:
        return f"Open scans are in memory only for now, as they cannot be written ({keeper.trouble})."
    return f"Open scans are kept for {shelf.SETTINGS.retention_minutes:g} minutes after the last page is closed."


def reopen() -> None:
    """Brings back the scan that was closed last."""
    mine = shelf.mine()
    if mine.closed is not None:
        place, entry = mine.closed
        mine.closed = None
        mine.add(entry, place)
        st.session_state.scan = mine.chosen = entry.id
