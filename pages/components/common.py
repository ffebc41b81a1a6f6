"""What all pages share: the style, the worker, the checkpoints at hand, and opened models."""

from __future__ import annotations

import argparse
import logging
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from engine.bias.interventions import GENERATOR_METHOD
from engine.bias.report.request import Unanswerable
from engine.checkpoints.format import CARD, CONFIG, METRICS, WEIGHTS, Checkpoint, RefusedCheckpoint
from engine.checkpoints.resolve import open_checkpoint, shipped, shipped_folder
from engine.datasets import collections, draws_its_own
from engine.inference import Inference, Lost, RemoteModel
from engine.memory import give_back
from engine.queue import Job, Progress, Queue
from engine.registry import Method, UnsuitableScan, method
from engine.scan import UnreadableScan
from server import sessions

NOTICE = "Research use only, not for diagnosis"
CAPITALS = {word.lower(): word for word in ("NIH", "BUSI", "MRI", "LIDC")}  # how these words of a name are written
COUNTED = 20  # steps of a job; of more a reader is told the share
APP = Path(__file__).parents[2] / "app.py"
log = logging.getLogger(__name__)


class NothingSaid(ValueError):
    """A model's answers of which none means anything; the message says so."""


EXPECTED = (
    NothingSaid,
    RefusedCheckpoint,
    UnsuitableScan,
    UnreadableScan,
    Unanswerable,
    Lost,
)  # their message is a sentence for the reader


@dataclass(frozen=True)
class Refused:
    """A checkpoint that did not open, and the sentence that says why."""

    name: str
    reason: str


@contextmanager
def app_frame() -> Iterator[None]:
    """Around a page while app.py shows it."""
    st.session_state["inside app frame"] = True
    try:
        yield
    finally:
        st.session_state["inside app frame"] = False


def inside_app_frame() -> bool:
    """Whether app.py shows this page. If not, it is made to, and the page that asked has nothing left to do.

    Before app.py has run once in a server's life, Streamlit takes every file in pages/ for a page of its own accord.
    """
    if st.session_state.get("inside app frame"):
        return True
    runpy.run_path(str(APP), run_name="__main__")
    return False


def style() -> None:
    """The app's few rules on top of its theme, from style.css."""
    st.html(Path(__file__).with_name("style.css"))


def device() -> str:
    """What stands behind `streamlit run app.py -- --device`; "auto" without it."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser.parse_known_args(sys.argv[1:])[0].device


@st.cache_resource(show_spinner=False)
def worker() -> Queue:
    """The queue before the inference process, for all sessions.

    What a session that left had asked for is called off.
    """
    queue = Queue()
    left = threading.Event()

    def leave(name: str) -> None:
        queue.leave(name)
        left.set()

    def tidy() -> None:
        if left.is_set() and not len(queue):
            left.clear()
            give_back()

    sessions.when_one_leaves(leave)
    sessions.at_every_look(tidy)
    inference().start()
    return queue


@st.cache_resource(show_spinner=False)
def inference() -> Inference:
    """The process in which everything that needs a model runs; to be called on the worker's thread."""
    return Inference()


def session() -> str:
    """A name for this session among those who wait."""
    return sessions.current()


def checkpoints() -> list[Checkpoint | Refused]:
    """The models at hand, shipped or opened in this session, each one checked; a refused one comes with its
    sentence.
    """
    return [entry for entry in everything() if isinstance(entry, Refused) or entry.method != GENERATOR_METHOD]


def generators(collection: str) -> list[Checkpoint]:
    """Checkpoints at hand that show patients of this collection otherwise; they judge no scan and are no models."""
    known = [entry for entry in everything() if isinstance(entry, Checkpoint) and entry.method == GENERATOR_METHOD]
    return [
        checkpoint
        for checkpoint in known
        if trained_on(checkpoint) == collection and checkpoint.config.get("attributes")
    ]


def everything() -> list[Checkpoint | Refused]:
    """As `checkpoints`, with those that show patients otherwise."""
    found = [_checked(name, _stamp(shipped_folder() / name)) for name in shipped()]
    known = {entry.identity for entry in found if isinstance(entry, Checkpoint)}
    return found + [checkpoint for checkpoint in st.session_state.get("opened", []) if checkpoint.identity not in known]


def open_another(address: str) -> str:
    """Opens a folder or ``hub:owner/name@revision`` for this session; returns what to tell the reader."""
    checkpoint = open_checkpoint(address.strip())
    before = [
        other for other in st.session_state.get("opened", []) if other.folder.resolve() != checkpoint.folder.resolve()
    ]  # its card may have been corrected
    st.session_state["opened"] = before
    same = [entry for entry in everything() if isinstance(entry, Checkpoint) and entry.identity == checkpoint.identity]
    if same and label(same[0]) != label(checkpoint):
        return f"{label(checkpoint)} is the same model as {label(same[0])}, which is open."
    if not same:
        before.append(checkpoint)
    return f"{checkpoint.name if checkpoint.method == GENERATOR_METHOD else label(checkpoint)} is open."


def usable() -> list[Checkpoint]:
    """The checkpoints that open."""
    return [entry for entry in checkpoints() if isinstance(entry, Checkpoint)]


def _stamp(folder: Path) -> tuple:
    """Changes whenever one of its files does."""

    def stamp(path: Path) -> tuple[int, int] | None:
        try:
            stat = path.stat()
        except OSError:  # it is not there, or may not be looked at
            return None
        return stat.st_mtime_ns, stat.st_size

    return str(folder), *(stamp(folder / name) for name in (WEIGHTS, CONFIG, CARD, METRICS))


@st.cache_resource(max_entries=64, show_spinner=False)
def _checked(name: str, stamp: tuple) -> Checkpoint | Refused:
    try:
        return open_checkpoint(name)
    except RefusedCheckpoint as reason:
        return Refused(name, str(reason))


def model_of(checkpoint: Checkpoint, device: str) -> RemoteModel:
    """The model, which is opened in the inference process, one for all sessions; to be asked on the worker."""
    return RemoteModel(inference(), checkpoint, device)


def method_of(checkpoint: Checkpoint) -> Method:
    """The registered method of a checkpoint."""
    return method(checkpoint.method)


def label(checkpoint: Checkpoint) -> str:
    """A checkpoint's name as people read it: 'Attri-Net, phantom tag guided', 'CX-GAN, brain MRI'."""
    of = method_of(checkpoint)
    slug = of.title.lower().replace(" ", "-")
    rest = checkpoint.name.lower().removeprefix(slug).strip("-_").replace("-", " ").replace("_", " ")
    if not rest or rest == checkpoint.method.replace("_", " "):
        return of.title
    return f"{of.title}, {' '.join(CAPITALS.get(word, word) for word in rest.split())}"


def trained_on(checkpoint: Checkpoint) -> str:
    """The collection's name in its configuration, "" when it does not say."""
    return checkpoint.collection


def films_of(collection: str) -> str:
    """What a reader calls the pictures of a collection, its own name where it is not known here."""
    known = collections().get(collection)
    return known.title if known else collection


def kinds_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The scan kinds it takes: its method's or, for a method that takes any, the kind it was trained on;
    empty for all.
    """
    kinds = tuple(method_of(checkpoint).kinds)
    trained = checkpoint.config.get("data", {}).get("kind", "unknown")
    if not kinds and trained == "unknown" and draws_its_own(trained_on(checkpoint)):
        return ("unknown",)  # drawn pictures of nothing in particular: no scanner makes their like
    return kinds or (() if trained == "unknown" else (trained, "unknown"))


def made_for(checkpoint: Checkpoint, kind: str) -> bool:
    """Whether it takes this kind by name; of a scan whose file does not say its kind nothing can be held against it."""
    return kind == "unknown" or kind in kinds_of(checkpoint)


def takes(checkpoint: Checkpoint, kind: str, slices: int) -> bool:
    """Whether it takes scans of this kind with so many slices. What takes pictures takes any slice of a volume."""
    kinds = kinds_of(checkpoint)
    return (not kinds or kind in kinds) and (slices > 1 or method_of(checkpoint).dimensions == 2)


def ask(key: tuple, work: Callable[[Progress], object], long: bool = False) -> Job:
    """Asks the worker in this session's name; others' short jobs go between the steps of a `long` one."""
    return worker().ask(key, work, asker=session(), long=long)


def complaint(job: Job, note_kept: str = "") -> str:
    """What to tell the reader of a job that failed.

    Args:
        kept: what is not lost by it, as in 'the scan is still open'.
    """
    if isinstance(job.error, EXPECTED):
        return str(job.error)
    log.error("a job failed", exc_info=job.error)
    return (
        f"Something went wrong while the model was at work; {f'{note_kept}, and ' if note_kept else ''}the log says "
        "more."
    )


@st.fragment(run_every=1.0)
def wait_for(job: Job, what: str, stop: Callable[[], None] | None = None) -> None:
    """One quiet line while a job waits or runs, after half a second of it; the page runs again when it is done.

    Its runs are short and touch nothing but the job.

    Args:
        what: is happening, as in 'Explaining the scan'.
        stop: gives it up; without it there is no button for that.
    """
    if job.done:
        st.rerun()
    box = st.container(key="waiting")
    if job.waited > 0.5:
        box.progress(*progress_of(job, what))
        if stop and box.button("Stop", type="tertiary", key="stop", help="Give this up; nothing of it is kept"):
            stop()
            st.rerun()


def progress_of(job: Job, what: str) -> tuple[float, str]:
    """How far a job is, from 0 to 1, and in words."""
    before = worker().position(job)
    if before:
        return 0.0, f"{what}: {before} {'job' if before == 1 else 'jobs'} before it in the queue"
    done, every = job.progress
    if not every:
        return 0.0, f"{what}: opening the model"
    return done / every, f"{what}: {f'{done} of {every}' if every <= COUNTED else f'{100 * done // every} %'} done"


def line(words: str, kind: str = "warn") -> None:
    """What is said above a page's result, in as many lines as `words` has; `kind` is 'warn', 'bad', 'quiet' or 'note'.
    The words carry the meaning, the colour helps.
    """
    with st.container(key=f"line-{kind}-{abs(hash(words)) % 10**8}", gap=None):
        for part in words.split("\n"):
            st.text(part)
