"""What the tests of engine.worker have done in a worker; imported there."""

import os
import signal
import sys
import time

import numpy as np

from engine.scan import UnreadableScan
from engine.worker import call, extension

kept = {}


def same(value):
    return value


def spin(seconds=3600.0):
    """Uses the processor without ever letting Python's own signal handlers run."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(10_000_000 if seconds > 60 else 10_000))
    return seconds


def parts(count, seconds):
    for _ in range(count):
        spin(seconds)
        extension.extend()
    return count


def sleep():
    time.sleep(3600)


def hoard(count):
    return len(np.ones(count, np.uint8))


def zeros(count):
    return np.zeros(count, np.uint8)


def write(path, count):
    with open(path, "wb") as file:
        file.write(bytes(count))


def die(number):
    os.kill(os.getpid(), number)


def leave(code):
    os._exit(code)


def refuse(words):
    raise UnreadableScan(words)


def fail():
    raise KeyError("some key")


def a_generator():
    return (n for n in range(3))


def keep(name, value):
    kept[name] = value


def recall(name):
    return kept.get(name), os.getpid()


def chatter():
    print("words that belong to nobody", flush=True)
    os.write(2, b"words that belong to nobody\n")


def threads():
    return len(os.listdir("/proc/self/task")), "torch" in sys.modules


def within():
    return call("tests.worker.jobs:same", 5)


def ignore_and_spin():
    """As code would that does not want to be stopped."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    spin()


def spins(data):
    spin()


def crashes(data):
    die(signal.SIGSEGV)


def is_killed(data):
    die(signal.SIGKILL)


def hoards(data):
    hoard(4 << 30)


def unfolds(data):
    return {"pixels": np.zeros(500 << 20, np.uint8)}
