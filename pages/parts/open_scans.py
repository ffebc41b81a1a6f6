"""The scans that are open in a session: the sample, phantom patients and uploads. File names are never kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from engine.datasets.phantom import Marker, Phantom
from engine.datasets.vagan_synthetic import VAGANSynthetic
from engine.scan import Scan, UnreadableScan, frame, read_scan

MOST = 8  # open at a time
SAMPLE = "RG1_UNCR.dcm"  # of the package pydicom-data
PHANTOM_SIZE, PHANTOM_SEED = 512, 2  # the seed of no checkpoint's training data
PATIENTS = {  # name to (which patient, with a tag burned in)
    "Phantom patient 1": (7, False),
    "Phantom patient 2": (21, False),
    "Phantom patient 3": (15, False),
    "Phantom patient 4": (2, False),
    "Phantom patient 5": (16, False),
    "Phantom patient 6": (4, False),
    "Phantom patient 2 with a tag": (21, True),
}
SYNTHETIC = {"Synthetic picture 1": 5, "Synthetic picture 2": 7, "Synthetic picture 3": 8}  # name to which; the last is normal
NAMES = {"radiograph": "Radiograph", "CT": "CT", "MR": "MR", "ultrasound": "Ultrasound", "mammogram": "Mammogram", "unknown": "Picture"}


@dataclass(frozen=True, eq=False)
class OpenScan:
    """One scan of the session.

    Attributes:
        name: given here, never the file's.
        scan: with all its slices.
        drawn_by: the collection that drew it, "" for a scan of a person.
        truth: findings that it was drawn with.
    """

    name: str
    scan: Scan
    drawn_by: str = ""
    truth: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        return 1 if self.scan.pixels.ndim == 2 else len(self.scan.pixels)


@st.cache_resource(max_entries=1, show_spinner=False)
def sample() -> OpenScan | None:
    """The sample radiograph of pydicom-data, or None where that package is missing."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file(SAMPLE, download=False)
    return None if path is None else OpenScan("Sample radiograph", read_scan(Path(path).read_bytes()))


@st.cache_resource(max_entries=len(PATIENTS), show_spinner=False)
def phantom_patient(name: str) -> OpenScan:
    index, tagged = PATIENTS[name]
    tag = Marker(share_of_positives=1.0) if tagged else None
    phantom = Phantom(index + 1, seed=PHANTOM_SEED, size=PHANTOM_SIZE, marker=tag)
    tags = {"BodyPartExamined": "CHEST", "ViewPosition": str(phantom.attributes["view_position"][index])}
    truth = tuple(f for f, present in zip(phantom.findings, phantom.labels[index]) if present)
    return OpenScan(name, Scan.of(phantom.image(index), "radiograph", tags=tags), phantom.name, truth)


@st.cache_resource(max_entries=len(SYNTHETIC), show_spinner=False)
def synthetic_picture(name: str) -> OpenScan:
    pictures = VAGANSynthetic(SYNTHETIC[name] + 1, seed=PHANTOM_SEED)
    picture = pictures.image(SYNTHETIC[name])
    truth = pictures.findings if pictures.labels[SYNTHETIC[name], 0] else ()
    return OpenScan(name, Scan.of(picture, "unknown", window=(0.0, 1.2), bits=32), pictures.name, tuple(truth))


def drawn(name: str) -> OpenScan:
    """The drawn picture called `name`, of `PATIENTS` or `SYNTHETIC`."""
    return synthetic_picture(name) if name in SYNTHETIC else phantom_patient(name)


def scans() -> dict[str, OpenScan]:
    """Open scans by name, in the order they were opened; the sample, or a phantom in its place, on first start."""
    if "scans" not in st.session_state:
        first = sample()
        if first is None:
            first = phantom_patient("Phantom patient 1")
            st.session_state.notice = "The sample film needs the package pydicom-data; a drawn patient stands in for it."
        st.session_state.scans = {first.name: first}
        st.session_state.scan = first.name
    return st.session_state.scans


def chosen() -> OpenScan | None:
    return scans().get(st.session_state.get("scan"))


def chosen_slice(opened: OpenScan) -> Scan:
    """The slice on show, the very same record as long as it is the same slice."""
    if opened.slices == 1:
        return frame(opened.scan, 0)
    index = st.session_state.get(f"slice {opened.name}", opened.slices // 2)
    kept = st.session_state.get("slice on show")
    if kept is None or kept[:2] != (opened.scan.sha256, index):
        kept = st.session_state["slice on show"] = (opened.scan.sha256, index, frame(opened.scan, index))
    return kept[2]


def show(opened: OpenScan) -> None:
    """Opens a scan, or turns to it when it is open already."""
    known = scans()
    for other in known.values():
        if other.scan.sha256 == opened.scan.sha256 and other.drawn_by == opened.drawn_by:
            st.session_state.scan = other.name
            return
    if len(known) >= MOST:
        st.session_state.notice = f"{MOST} scans are open; close one to open another."
        return
    known[opened.name] = opened
    st.session_state.scan = opened.name


def take(files: list[bytes]) -> None:
    """Decodes uploaded files; those that hold no scan leave one sentence, and everything else as it was."""
    refused = []
    for data in files:
        try:
            scan = read_scan(data)
        except UnreadableScan as reason:
            refused.append(str(reason))
            continue
        st.session_state.taken = st.session_state.get("taken", 0) + 1
        show(OpenScan(f"{NAMES[scan.kind]} {st.session_state.taken}", scan))
    if refused:
        several = len(files) > 1
        st.session_state.notice = (f"{len(refused)} of {len(files)} files could not be opened. " if several else "") + refused[0]


def close(name: str) -> None:
    """Closes a scan; `reopen` brings it back."""
    known = scans()
    place = list(known).index(name)
    st.session_state.closed = (place, known.pop(name))
    left = list(known)
    st.session_state.scan = left[min(place, len(left) - 1)] if left else None


def reopen() -> None:
    place, opened = st.session_state.pop("closed")
    entries = list(scans().items())
    entries.insert(place, (opened.name, opened))
    st.session_state.scans = dict(entries)
    st.session_state.scan = opened.name
