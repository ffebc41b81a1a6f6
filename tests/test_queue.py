"""Promises of the queue: one at a time, in order, shared, bounded, and never stuck."""

import threading

import pytest

from engine.queue import Queue


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

    first, go = held(queue)
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
    first, go = held(queue)
    one = queue.ask("same", lambda progress: calls.append(1))
    other = queue.ask("same", lambda progress: calls.append(2))
    go.set()
    assert one is other and one.wait(10)
    assert queue.ask("same", lambda progress: calls.append(3)) is one and calls == [1]


def test_finished_answers_are_bounded_and_the_last_used_stay():
    queue = Queue(keep=2)
    for key in "ab":
        queue.ask(key, lambda progress: 0).wait(10)
    kept = queue.ask("a", lambda progress: 0)
    queue.ask("c", lambda progress: 0).wait(10)
    queue.ask("d", lambda progress: 0).wait(10)  # after this, c is sure to be put away
    fresh = queue.ask("a", lambda progress: "again")
    assert fresh is not kept and fresh.wait(10) and fresh.answer() == "again"


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
    first, go = held(queue)
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
