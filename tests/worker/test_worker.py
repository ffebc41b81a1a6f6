"""Promises of worker processes: what goes in comes out, limits hold whatever the work does, and nothing
outlives its asker.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import worker
from engine.scan import UnreadableScan
from engine.worker import Ended, Exceeded, Failed, Limits, Lost, Worker, call
from engine.worker.messages import BrokenMessage, receive, send
from tests.places import ROOT
from tests.worker import jobs

JOBS = "tests.worker.jobs:"
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.tuples(st.integers()), inner)
    ),
    max_leaves=20,
)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids: int) -> bool:
    """Whether they are all gone within a while."""
    end = time.monotonic() + 30
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture(scope="module")
def echo():
    with Worker() as made:
        yield lambda value: made.call(JOBS + "same", value)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_values_come_back_as_they_went(echo, value):
    back = echo(value)
    assert back == value and repr(back) == repr(value)


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">u2", "f4", "f8", "?", "f2", "c8"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (700, 900)])
def test_arrays_come_back_with_their_type_and_shape_and_cannot_be_changed(echo, dtype, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    back = echo({"array": array, "again": [array.T]})
    for ours, theirs in ((array, back["array"]), (array.T, back["again"][0])):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and not theirs.flags.writeable
        np.testing.assert_array_equal(ours, theirs)


def test_what_cannot_be_sent_is_said_on_either_side():
    with pytest.raises(TypeError, match="object"):
        call(JOBS + "same", object())
    with pytest.raises(Failed, match="a generator cannot be sent"):
        call(JOBS + "a_generator")


@pytest.mark.parametrize("job", ["spin", "ignore_and_spin"])
def test_a_call_that_uses_the_processor_too_long_is_killed(job):
    with pytest.raises(Exceeded, match="0.5 seconds of processor") as refused:
        call(JOBS + job, limits=Limits(processor=0.5))
    assert refused.value.limit == "processor"


def test_a_call_that_takes_too_long_on_the_clock_is_killed():
    started = time.monotonic()
    with Worker() as made, pytest.raises(Exceeded, match="ended after 0.5 seconds"):
        made.call(JOBS + "sleep", limits=Limits(wall=0.5))
    assert made.gone and gone(made.pid) and time.monotonic() - started < 60


def test_a_call_that_takes_too_much_memory_is_told_so_and_the_next_is_not_harmed():
    with pytest.raises(Exceeded, match="more memory"):
        call(JOBS + "hoard", 600 << 20, limits=Limits(memory=500 << 20))
    assert call(JOBS + "hoard", 300 << 20, limits=Limits(memory=500 << 20)) == 300 << 20
    with pytest.raises(Exceeded, match="more memory"):  # already for what it is given
        call(JOBS + "same", bytes(100 << 20), limits=Limits(memory=50 << 20))


def test_a_call_gives_back_and_writes_only_so_much(tmp_path):
    with pytest.raises(Exceeded, match="more than 1 million bytes"):
        call(JOBS + "zeros", 40_000_000, limits=Limits(output=1_000_000))
    with pytest.raises(Exceeded) as refused:
        call(JOBS + "write", str(tmp_path / "file"), 2_000_000, limits=Limits(output=1_000_000))
    assert refused.value.limit == "output" and (tmp_path / "file").stat().st_size <= 1_000_000


def test_a_series_has_as_long_as_its_parts_and_no_longer():
    assert call(JOBS + "parts", 5, 0.3, limits=Limits(processor=0.6, longest=60)) == 5
    with pytest.raises(Exceeded) as refused:  # one part is too slow
        call(JOBS + "parts", 5, 1.2, limits=Limits(processor=0.6, longest=60))
    assert refused.value.limit == "processor"
    with pytest.raises(Exceeded, match="ended after 1 seconds"):  # too many parts
        call(JOBS + "parts", 50, 0.3, limits=Limits(processor=0.6, longest=1))
    jobs.parts(2, 0.01)  # in this process nothing is limited


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_one_sentence(number):
    with pytest.raises(Ended, match=rf"crashed \({number.name}\)"):
        call(JOBS + "die", int(number))
    with pytest.raises(Ended, match="crashed .exit code 3"):
        call(JOBS + "leave", 3)


def test_a_worker_that_is_killed_from_outside_is_lost():
    with pytest.raises(Lost, match="out of memory or processes"):
        call(JOBS + "die", int(signal.SIGKILL))


def test_expected_errors_arrive_as_they_are_and_others_say_what_they_were():
    with pytest.raises(UnreadableScan, match="^No scan.$"):
        call(JOBS + "refuse", "No scan.", raises=(UnreadableScan,))
    with pytest.raises(ValueError, match="^No scan.$"):  # by the name of what it is a kind of
        call(JOBS + "refuse", "No scan.", raises=(ValueError,))
    with pytest.raises(Failed, match="KeyError in the worker process: 'some key'") as failed:
        call(JOBS + "fail", raises=(UnreadableScan,))
    assert "jobs.py" in failed.value.__notes__[0]
    with pytest.raises(Failed, match="AttributeError"):
        call(JOBS + "no_such_function")


def test_a_worker_keeps_what_it_is_told_and_answers_on_after_an_error():
    with Worker() as made:
        made.call(JOBS + "keep", "a", 1)
        with pytest.raises(Failed):
            made.call(JOBS + "fail")
        value, pid = made.call(JOBS + "recall", "a")
        assert (value, pid) == (1, made.pid) and pid != os.getpid()
    assert made.gone and gone(pid)
    with pytest.raises(Lost):
        made.call(JOBS + "recall", "a")
    assert call(JOBS + "recall", "a")[0] is None  # every other one begins afresh


def test_a_worker_that_is_forgotten_is_ended():
    made = Worker()
    pid = made.pid
    del made
    assert gone(pid)


def test_a_worker_has_one_thread_says_nothing_and_brings_no_torch(capfd):
    assert call(JOBS + "threads") == (1, False)
    call(JOBS + "chatter")
    assert "nobody" not in "".join(capfd.readouterr())


def test_a_worker_can_ask_a_worker():
    assert call(JOBS + "within") == 5


def test_threads_that_end_leave_the_server_to_the_others():
    said = []
    askers = [threading.Thread(target=lambda n=n: said.append(call(JOBS + "same", n))) for n in range(12)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(said) == list(range(12)) and call(JOBS + "same", 12) == 12


def test_a_forked_process_has_workers_of_its_own():
    with Worker() as made:
        made.call(JOBS + "keep", "a", 1)
        child = os.fork()
        if child == 0:
            try:
                fresh = call(JOBS + "recall", "a")[0] is None
                made.close()  # must not end the parent's
                os._exit(0 if fresh and made.gone else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert made.call(JOBS + "recall", "a")[0] == 1


def test_the_server_is_started_again_when_it_is_gone_and_takes_its_workers_with_it(monkeypatch):
    monkeypatch.setattr(worker, "_server", worker._Server())  # that of the other tests keeps their workers
    with Worker() as made:
        os.kill(worker._server.process.pid, signal.SIGKILL)
        with pytest.raises(Lost):
            made.call(JOBS + "sleep")
        assert gone(made.pid)
    for number in range(4):  # also at this very moment
        assert call(JOBS + "same", number) == number
        os.kill(worker._server.process.pid, signal.SIGKILL)
    assert call(JOBS + "same", 4) == 4
    worker._server.process.kill()


def test_a_machine_that_makes_no_process_is_one_sentence(monkeypatch):
    monkeypatch.setattr(worker, "_server", worker._Server())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Lost, match="could not be started"):
        call(JOBS + "same", 1)


@pytest.mark.parametrize("job", ["sleep", "spin"])
def test_nothing_outlives_an_asker_that_is_killed(job):
    words = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from engine import worker\n"
        "made = worker.Worker()\n"
        "print(worker._server.process.pid, made.pid, flush=True)\n"
        f"made.call('{JOBS}{job}', limits=worker.Limits(processor=600, wall=600))\n"
    )
    asker = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in asker.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    time.sleep(0.3)
    asker.kill()
    asker.wait()
    assert gone(*pids)


def test_whatever_comes_on_the_line_is_a_value_or_no_message():
    ours, theirs = socket.socketpair()
    send(theirs, {"a": (1, b"two", np.arange(4))})
    whole = ours.recv(10_000)
    chance = random.Random(0)
    for _ in range(2000):
        ours, theirs = socket.socketpair()
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        theirs.sendall(broken[: chance.randint(0, len(broken))])
        theirs.close()
        with contextlib.suppress(BrokenMessage, EOFError):
            receive(ours, 10_000)
        ours.close()
