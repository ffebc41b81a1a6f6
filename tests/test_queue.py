"""Promises of the queue: one at a time, in order, shared, bounded, and never stuck."""

import threading
from collections import deque

import numpy as np
import pytest

from engine.queue import Queue, Withdrawn


def held(queue, key="held"):
    """A job that runs until the returned event is set."""
    go, began = threading.Event(), threading.Event()

    def work(progress):
        began.set()
        go.wait(10)
        return key

    job = queue.ask(key, work)
    assert began.wait(10)
    return job, go


def test_an_answer_arrives():
    job = Queue().ask("sum", lambda progress: 1 + 1)
    assert job.wait(10) and job.answer() == 2 and job.done


def test_jobs_run_one_at_a_time_and_in_order():
    queue, order, together, most = Queue(), [], [], []

    def work_of(name):
        def work(progress):
            together.append(name)
            most.append(len(together))
            order.append(name)
            together.remove(name)

        return work

    _first, go = held(queue)
    jobs = [queue.ask(name, work_of(name)) for name in "abcd"]
    go.set()
    assert all(job.wait(10) for job in jobs)
    assert order == list("abcd") and max(most) == 1


def test_everybody_can_see_their_place():
    queue = Queue()
    first, go = held(queue)
    second, third = queue.ask("b", lambda progress: 0), queue.ask("c", lambda progress: 0)
    assert [queue.position(job) for job in (first, second, third)] == [0, 1, 2] and len(queue) == 3
    go.set()
    assert third.wait(10)
    assert queue.position(third) == 0


def test_the_same_question_is_answered_once():
    queue, calls = Queue(), []
    _first, go = held(queue)
    one = queue.ask("same", lambda progress: calls.append(1))
    other = queue.ask("same", lambda progress: calls.append(2))
    go.set()
    assert one is other and one.wait(10)
    assert queue.ask("same", lambda progress: calls.append(3)) is one and calls == [1]


def test_finished_answers_are_bounded_in_bytes_and_the_last_used_stay():
    queue = Queue(keep_bytes=3_000_000)
    small = queue.ask("small", lambda progress: 0)
    assert small.wait(10)
    for key in "ab":
        assert queue.ask(key, lambda progress: np.zeros(1_000_000, np.uint8)).wait(10)
    kept = queue.ask("a", lambda progress: 0)
    assert queue.ask("c", lambda progress: np.zeros(1_500_000, np.uint8)).wait(10)
    assert queue.ask("a", lambda progress: 0) is kept
    fresh = queue.ask("b", lambda progress: "again")
    assert fresh.wait(10) and fresh.answer() == "again"
    assert queue.ask("small", lambda progress: 1) is not small


def test_an_answer_larger_than_all_that_is_kept_still_reaches_its_asker():
    queue = Queue(keep_bytes=10)
    job = queue.ask("large", lambda progress: np.zeros(1000))
    assert job.wait(10) and len(job.answer()) == 1000
    assert queue.ask("large", lambda progress: 0) is job  # the page that waits for it asks again before it shows it


def test_an_error_reaches_the_asker_and_the_worker_lives_on():
    queue = Queue()

    def broken(progress):
        raise SystemExit("even this")

    job = queue.ask("broken", broken)
    assert job.wait(10)
    with pytest.raises(SystemExit, match="even this"):
        job.answer()
    after = queue.ask("next", lambda progress: "fine")
    assert after.wait(10) and after.answer() == "fine"


def test_a_failure_can_be_forgotten_and_tried_again():
    queue, tries = Queue(), []

    def at_second(progress):
        tries.append(1)
        return 1 / (len(tries) - 1)

    assert queue.ask("k", at_second).wait(10)
    queue.ask("next", lambda progress: 0).wait(10)
    assert isinstance(queue.ask("k", at_second).error, ZeroDivisionError)
    queue.forget("k")
    again = queue.ask("k", at_second)
    assert again.wait(10) and again.answer() == 1


def test_what_nobody_waits_for_any_more_is_never_begun():
    queue, ran = Queue(), []
    _first, go = held(queue)
    queue.ask("old", lambda progress: ran.append("old"), asker="me")
    queue.ask("shared", lambda progress: ran.append("shared"), asker="me")
    queue.ask("shared", lambda progress: ran.append("shared"), asker="you")
    new = queue.ask("new", lambda progress: ran.append("new"), asker="me")
    queue.keep_only("me", ["new"])
    assert len(queue) == 3
    go.set()
    assert new.wait(10) and ran == ["shared", "new"]


def test_progress_is_seen_while_it_runs():
    queue, go, half = Queue(), threading.Event(), threading.Event()

    def work(progress):
        progress(1, 2)
        half.set()
        go.wait(10)

    job = queue.ask("k", work)
    assert half.wait(10) and job.progress == (1, 2)
    with pytest.raises(RuntimeError, match="not ready"):
        job.answer()
    go.set()
    assert job.wait(10)


def stepping(queue, key="report", asker=None):
    """A long job that takes a step whenever it is let, and the function that lets it."""
    go, stepped, steps = threading.Semaphore(0), threading.Semaphore(0), []

    def work(progress):
        for step in range(5):
            assert go.acquire(timeout=10)
            steps.append(step)
            try:
                progress(step + 1, 5)
            finally:
                stepped.release()
        return "written"

    job = queue.ask(key, work, asker, long=True)

    def let():
        go.release()
        assert stepped.acquire(timeout=10)

    return job, let, steps


def test_a_short_job_goes_between_the_steps_of_a_long_one_and_another_long_one_waits():
    queue = Queue()
    report, let, steps = stepping(queue)
    let()
    other = queue.ask("other report", lambda progress: steps.append("other report"), long=True)
    short = queue.ask("scan", lambda progress: steps.append("scan"))
    assert (queue.position(other), queue.position(short)) == (1, 0)
    let()
    assert short.done and not report.done and not other.done
    for _ in range(3):
        let()
    assert other.wait(10) and steps == [0, 1, "scan", 2, 3, 4, "other report"] and report.answer() == "written"


def test_a_withdrawn_job_ends_at_its_next_step_and_can_be_asked_for_again():
    queue = Queue()
    report, let, steps = stepping(queue, asker="a")
    let()
    queue.withdraw("a", "report")
    let()
    assert report.wait(10) and steps == [0, 1] and isinstance(report.error, Withdrawn)
    assert queue.ask("report", lambda progress: "anew").wait(10)


def test_a_job_that_somebody_else_wants_is_not_ended():
    queue = Queue()
    report, let, _ = stepping(queue, asker="a")
    assert queue.ask("report", lambda progress: 0, "b") is report
    queue.withdraw("a", "report")
    for _ in range(5):
        let()
    assert report.wait(10) and report.answer() == "written"


def test_a_withdrawn_job_that_is_wanted_again_in_time_goes_on():
    queue = Queue()
    report, let, _ = stepping(queue, asker="a")
    let()
    queue.withdraw("a", "report")
    assert queue.ask("report", lambda progress: 0, "a") is report
    for _ in range(4):
        let()
    assert report.wait(10) and report.answer() == "written"


def test_a_withdrawn_job_that_waits_is_never_begun():
    queue, begun = Queue(), []
    _first, go = held(queue)
    queue.ask("unwanted", lambda progress: begun.append(1), "a")
    queue.withdraw("a", "unwanted")
    assert len(queue) == 1
    go.set()
    assert queue.ask("last", lambda progress: 0).wait(10) and not begun


def test_a_failure_is_kept_for_whoever_saw_it_and_tried_again_for_the_next():
    queue, tries = Queue(), []

    def at_second(progress):
        tries.append(1)
        return 1 / (len(tries) - 1)

    first = queue.ask("k", at_second, "a")
    assert first.wait(10) and queue.ask("k", at_second, "a") is first
    other = queue.ask("k", at_second, "b")
    assert other.wait(10) and other.answer() == 1 and len(tries) == 2
    assert queue.ask("k", at_second, "a") is other


def test_whoever_leaves_takes_their_jobs_along():
    queue, ran = Queue(), []
    report, let, steps = stepping(queue, asker="gone")
    let()
    queue.ask("theirs", lambda progress: ran.append("theirs"), "gone")
    queue.ask("shared", lambda progress: ran.append("shared"), "gone")
    shared = queue.ask("shared", lambda progress: ran.append("shared"), "here")
    queue.leave("gone")
    let()
    assert report.wait(10) and isinstance(report.error, Withdrawn) and steps == [0, 1]
    assert shared.wait(10) and ran == ["shared"] and len(queue) == 0


def test_answers_of_whoever_left_are_forgotten_unless_somebody_else_asked_too():
    queue = Queue()
    for asker in ("gone", "here"):
        both = queue.ask("both", lambda progress: 1, asker)
    alone = queue.ask("alone", lambda progress: 2, "gone")
    assert both.wait(10) and alone.wait(10)
    queue.leave("gone")
    assert queue.ask("both", lambda progress: 3, "here") is both
    assert queue.ask("alone", lambda progress: 4, "here") is not alone


def test_one_who_asks_for_much_does_not_keep_others_waiting():
    queue, order = Queue(), []
    _first, go = held(queue)
    for name in "abcd":
        queue.ask(name, lambda progress, name=name: order.append(name), "many")
    queue.ask("one", lambda progress: order.append("one"), "single")
    last = queue.ask("e", lambda progress: order.append("e"), "many")
    assert [
        queue.position(queue.ask(key, None, asker)) for key, asker in (("a", "many"), ("one", "single"), ("b", "many"))
    ] == [1, 2, 3]
    go.set()
    assert last.wait(10) and order == ["a", "one", "b", "c", "d", "e"]


def test_what_is_in_the_background_waits_for_everything_else_until_it_is_looked_at():
    queue, order = Queue(), []
    _first, go = held(queue)
    for name in "ab":
        queue.ask(name, lambda progress, name=name: order.append(name), "me", background=True)
    queue.ask("seen", lambda progress: order.append("seen"), "me")
    queue.ask("other", lambda progress: order.append("other"), "you")
    queue.ask("b", None, "me")  # it is on show now
    last = queue.ask("a", None, "me", background=True)
    go.set()
    assert last.wait(10) and order == ["seen", "other", "b", "a"]


class Clock:
    """Seconds that pass when a job says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds, steps, order, name):
        def run(progress):
            for step in range(steps):
                self.now += seconds
                order.append(name)
                progress(step + 1, steps)

        return run


@pytest.mark.parametrize("short_s", [0.01, 0.1, 2.5])
def test_a_long_job_gets_half_of_the_time_however_many_short_ones_wait(short_s):
    """A report of one second in a hundred steps, and twenty who ask again whenever they are answered."""
    clock, order = Clock(), []
    queue = Queue(clock=clock)
    _first, go = held(queue)
    report = queue.ask("report", clock.work(0.01, 100, order, "report"), "reporter", long=True)
    numbers = iter(range(10**6))

    def short(asker):
        def work(progress):
            clock.now += short_s
            order.append("short")
            if not report.done and len(order) < 2000:
                short(asker)

        queue.ask((asker, next(numbers)), work, asker)

    for asker in range(20):
        short(asker)
    go.set()
    assert report.wait(20)
    before = order[: len(order) - order[::-1].index("report")].count("short") * short_s
    assert 0.9 - short_s <= before <= 1.1 + short_s  # as much as the report itself took, but for one job


def test_short_jobs_have_all_the_time_that_a_long_one_leaves():
    """A long job that had the worker for itself has saved up no claim on it."""
    clock, order = Clock(), []
    queue = Queue(clock=clock)
    asked = deque()

    def work(progress):
        for step in range(10):
            clock.now += 1
            order.append("report")
            if step == 5:
                asked.extend(queue.ask(name, clock.work(1, 1, order, name), name) for name in "ab")
            progress(step + 1, 10)

    assert queue.ask("report", work, long=True).wait(10) and all(job.wait(10) for job in asked)
    assert order[6:10] == ["a", "report", "b", "report"]


def test_who_asked_is_never_logged(caplog):
    caplog.set_level("DEBUG")
    queue, asker = Queue(), f"{2**127:x}"  # no line of this file holds it, which a traceback would quote
    job = queue.ask("key", lambda progress: 1 / 0, asker=asker)
    assert job.wait(10)
    queue.keep_only(asker, [])
    queue.withdraw(asker, "key")
    assert "ZeroDivisionError" in caplog.text and asker not in caplog.text + repr(job) + str(job.error)
