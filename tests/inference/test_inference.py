"""Promises of the inference process: one function at a time, between steps others, called off, restarted, and never
left behind.
"""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from engine.checkpoints.format import RefusedCheckpoint
from engine.inference import Inference, Lost, RemoteModel
from engine.inference.tasks import model_of
from engine.queue import Queue, Withdrawn
from engine.registry import UnsuitableScan, method
from engine.scan import Scan
from tests.inference import jobs


@pytest.fixture(scope="module")
def inference():
    started = Inference()
    yield started
    started.close()


def ended(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_for(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_function_runs_in_another_process(inference):
    assert inference.call(jobs.add, 1, 2) == 3
    assert inference.call(jobs.where) == inference.pid != os.getpid()


def test_this_process_imports_no_torch_to_explain_a_scan(tmp_path):
    """Run in a process of its own, as this one has imported what other tests need."""
    program = (
        "import sys, numpy as np\n"
        "from engine.checkpoints.resolve import open_checkpoint\n"
        "from engine.inference import Inference, RemoteModel\n"
        "from engine.scan import Scan\n"
        "model = RemoteModel(Inference(), open_checkpoint('attri-net-phantom'), 'cpu')\n"
        "scan = Scan.of(np.random.default_rng(0).uniform(0, 255, (64, 64)))\n"
        "records = model.explain(scan)\n"
        "assert records and 'torch' not in sys.modules and 'onnxruntime' not in sys.modules, sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=os.getcwd(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_pixels_arrive_as_they_are_and_scans_keep_their_identity(inference):
    first = Scan.of(np.arange(400.0).reshape(20, 20), kind="radiograph", spacing_mm=(0.5, 0.25))
    volume = Scan.of(np.arange(4000.0).reshape(10, 20, 20) + 7, kind="CT")
    for _ in range(2):  # the second time they are there already
        sums, names = inference.call(jobs.pixels, first, volume, first)
        assert sums == [first.pixels.sum(), volume.pixels.sum(), first.pixels.sum()]
        assert names == [first.sha256, volume.sha256, first.sha256]


@pytest.mark.parametrize(
    "error", [UnsuitableScan("Not a film."), RefusedCheckpoint("No card."), ZeroDivisionError("by zero")]
)
def test_an_error_arrives_as_it_was_raised(inference, error):
    with pytest.raises(type(error), match=str(error)) as caught:
        inference.call(jobs.refuse, error)
    assert "in refuse" in "".join(caught.value.__notes__)


def test_errors_that_cannot_travel_arrive_in_words_and_end_nothing(inference):
    pid = inference.pid
    with pytest.raises(RuntimeError, match="this and that"):
        inference.call(jobs.refuse_stubbornly)
    with pytest.raises(RuntimeError, match="disk is full"):
        inference.call(jobs.refuse, OSError(28, "disk is full"))
    assert inference.call(jobs.where) == pid


def test_progress_is_heard_step_by_step(inference):
    heard = []
    assert inference.call(jobs.steps, 4, progress=lambda done, every: heard.append((done, every))) == 4
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_progress_raises_calls_the_work_off(inference, tmp_path):
    def withdraw(done, every):
        raise Withdrawn

    with pytest.raises(Withdrawn):
        inference.call(jobs.until, str(tmp_path / "never"), progress=withdraw)
    assert inference.call(jobs.add, 1, 1) == 2


def test_another_call_goes_between_the_steps_of_one(inference):
    heard = []

    def progress(done, every):
        heard.append(inference.call(jobs.add, done, 10))

    assert inference.call(jobs.steps, 3, progress=progress) == 3
    assert heard == [11, 12, 13]


@pytest.mark.parametrize("mode", ["inference_mode", "no_grad"])
def test_a_call_between_the_steps_of_one_without_gradients_has_gradients(inference, mode):
    slopes = []
    step = lambda done, every: slopes.append(inference.call(jobs.slope))
    assert inference.call(jobs.steps_without_gradients, mode, progress=step)
    assert slopes == [6.0, 6.0]


def test_a_process_that_dies_costs_its_caller_one_sentence_and_is_started_again(inference):
    before = inference.call(jobs.where)
    with pytest.raises(Lost, match="Try again"):
        inference.call(jobs.die)
    assert inference.call(jobs.add, 2, 2) == 4 and inference.pid != before


def test_one_that_dies_between_steps_ends_both_and_no_third(inference):
    heard = []

    def progress(done, every):
        with pytest.raises(Lost):
            inference.call(jobs.die)
        heard.append(inference.call(jobs.add, 1, 2))

    with pytest.raises(Lost):
        inference.call(jobs.steps, 3, progress=progress)
    assert heard == [3] and inference.call(jobs.add, 1, 1) == 2


def test_the_queue_goes_on_after_a_process_that_died(inference):
    queue = Queue()
    dead = queue.ask("dead", lambda progress: inference.call(jobs.die, progress=progress), "a")
    alive = queue.ask("alive", lambda progress: inference.call(jobs.add, 1, 2, progress=progress), "b")
    assert dead.wait(60) and alive.wait(60)
    assert isinstance(dead.error, Lost) and alive.answer() == 3


def test_the_job_of_whoever_leaves_ends_in_the_process_too(inference, tmp_path):
    queue = Queue()
    job = queue.ask("k", lambda progress: inference.call(jobs.steps, 10**9, progress=progress), "gone")
    wait_for(lambda: job.progress[0] > 3)
    queue.leave("gone")
    assert job.wait(60) and isinstance(job.error, Withdrawn)
    assert queue.ask("next", lambda progress: inference.call(jobs.add, 1, 2)).wait(60)


def test_it_ends_with_whoever_started_it(tmp_path):
    program = (
        "from tests.inference import jobs\n"
        "from engine.inference import Inference\n"
        f"Inference().call(jobs.without_parent, {str(tmp_path / 'pid')!r})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text())
    parent.kill()
    parent.wait()
    wait_for(lambda: ended(pid.read_text()))


def test_a_remote_model_says_what_the_model_says(inference, tmp_path):
    checkpoint = method("attri_net").tiny(tmp_path)
    scan = Scan.of(np.random.default_rng(0).uniform(0, 255, (40, 50)), kind="radiograph")
    remote, here = RemoteModel(inference, checkpoint, "cpu"), model_of(checkpoint, "cpu")
    for far, near in zip(remote.explain(scan), here.explain(scan), strict=True):
        assert far.attribution is None and far.counterfactual is None
        assert np.allclose(far.evidence, near.evidence, atol=1e-5) and abs(far.probability - near.probability) < 1e-5
    amounts = dict.fromkeys(list(here.findings)[:2], 1.0)
    assert remote.predict_counterfactual(scan, amounts) == pytest.approx(
        here.predict_counterfactual(scan, amounts), abs=1e-5
    )
    assert [centre.finding for centre in remote.centres()] == list(here.findings)
