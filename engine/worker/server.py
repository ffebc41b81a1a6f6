"""The process that has the decoders imported and forks a worker for every asker, and what a worker does.

It is started by `engine.worker` and ends with whoever started it, however that ends. Of every worker it holds a line to
the asker: when the asker hangs up, it kills the worker; when the worker ends, it says how.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from importlib import import_module

from PIL import Image

from engine.worker import OUT_OF_MEMORY, extension
from engine.worker.messages import receive, send

IMPORTED = ("engine.scan", "libjpeg", "openjpeg", "pylibjpeg", "rle")  # what most workers need
LOOKS = 2000  # milliseconds between two looks at whether the parent is alive
TOO_MUCH = {errno.EFBIG: "output", errno.ENOMEM: "memory"}  # what an OSError says -> the limit that was met
PARENT_DIED = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def serve(control_fd: int, parent: int) -> None:
    """Forks a worker for every socket that comes in, until `parent` is gone."""
    control = socket.socket(fileno=control_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then hangs up
    for name in IMPORTED:
        import_module(name)
    Image.init()  # all of Pillow's formats
    prctl = _prctl()
    gc.collect()
    gc.freeze()  # so that a worker's collections leave the shared pages alone
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    jobs: dict[int, tuple[socket.socket, int]] = {}  # descriptor -> line to the asker, the worker's process
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while os.getppid() == parent:
        ready = {fd for fd, _ in poll.poll(LOOKS)}
        for fd in ready & jobs.keys():  # before another gets its number
            poll.unregister(fd)
            os.kill(jobs[fd][1], signal.SIGKILL)  # its asker is gone; it is reaped in a moment
        if wake in ready:
            os.read(wake, 4096)
            _reap(jobs, poll)
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, 4096, 2)
            if not message:
                break
            line, asker = (socket.socket(fileno=number) for number in fds)
            _fork(json.loads(message), line, asker, jobs, poll, prctl, (control_fd, wake, woken))
    _kill_all(jobs)


def _fork(
    limits: dict,
    line: socket.socket,
    asker: socket.socket,
    jobs: dict,
    poll: select.poll,
    prctl,
    others: tuple[int, ...],
) -> None:
    server = os.getpid()
    try:
        pid = os.fork()
    except OSError:  # no more processes; that both lines are dead says so
        line.close()
        asker.close()
        return
    if pid == 0:
        try:
            prctl(PARENT_DIED, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (*others, *jobs, line.fileno()):
                os.close(fd)
            work(asker, limits)
        finally:
            os._exit(1)
    asker.close()
    jobs[line.fileno()] = line, pid
    poll.register(line, 0)  # POLLHUP comes unasked


def _reap(jobs: dict, poll: select.poll) -> None:
    """Tells the askers of workers that have ended how, and hangs up."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for fd, (line, worker) in list(jobs.items()):
            if worker == pid:
                try:
                    line.send(str(os.waitstatus_to_exitcode(status)).encode())
                except OSError:
                    pass  # nobody listens
                try:
                    poll.unregister(fd)
                except KeyError:
                    pass  # killed by us
                del jobs[fd]
                line.close()


def _kill_all(jobs: dict) -> None:
    for _, pid in jobs.values():
        os.kill(pid, signal.SIGKILL)  # not reaped yet, so it is still ours


def _prctl():
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl


def work(asker: socket.socket, limits: dict) -> None:
    """A worker: calls what it is told to, one after the other, and sends back what comes of it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # codecs in C write there as they please
        os.dup2(nowhere, fd)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open(
            "/proc/self/oom_score_adj", "w", encoding="ascii"
        ) as file:  # out of memory, the kernel takes this one first
            file.write("1000")
    except OSError:
        pass
    if limits["memory"] is not None:
        with open("/proc/self/statm", encoding="ascii") as file:
            here = int(file.read().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)  # of whoever asks: it may be a worker itself
        most = here + limits["memory"] if most == resource.RLIM_INFINITY else min(most, here + limits["memory"])
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    send(asker, os.getpid())
    while True:
        try:
            request = receive(asker, sys.maxsize)
        except EOFError:
            os._exit(0)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        answer = _answered(**request)
        del request
        try:
            send(asker, answer)
        except (TypeError, MemoryError) as error:  # before anything was sent
            send(asker, _raised(error) if isinstance(error, TypeError) else {"exceeded": "memory"})
        del answer


def _answered(function: str, arguments: tuple, processor: float, longest: float, output: int) -> dict:
    """What comes of one call."""
    try:
        module, name = function.split(":")
        called = getattr(import_module(module), name)
        resource.setrlimit(resource.RLIMIT_FSIZE, (output, resource.RLIM_INFINITY))
        extension.start(processor, longest)
        try:
            return {"returned": called(*arguments)}
        finally:
            extension.stop()
    except MemoryError:
        return {"exceeded": "memory"}
    except BaseException as error:  # whatever it is, the asker is told
        if isinstance(error, OSError) and error.errno in TOO_MUCH:
            return {"exceeded": TOO_MUCH[error.errno]}
        return _raised(error)


def _raised(error: BaseException) -> dict:
    names = [f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__]
    return {"raised": names, "says": str(error)[:8000], "where": "".join(traceback.format_exception(error))[-8000:]}
