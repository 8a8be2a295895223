"""Reading stacks: which frame is the application's, and which threads merely wait for work."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from locard.model.waits import Work, kernel_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.facts import Frame, ThreadStack

# The loops in which a thread of a known library waits for work, by file ending: it is idle if it
# sits there itself or in a wait that the loop calls directly.
_WORK_LOOPS = (
    # Workers at the queue of their own executor.
    ("concurrent/futures/thread.py", {"_worker"}),
    ("multiprocessing/queues.py", {"_feed"}),
    ("concurrent/futures/process.py", {"_process_worker", "wait_result_broken_or_wakeup", "run"}),
    ("multiprocessing/pool.py", {"worker", "_handle_tasks", "_handle_results", "_handle_workers",
                                 "_wait_for_updates", "wait_for_updates"}),
    ("billiard/pool.py", {"worker", "workloop", "__call__", "body", "_wait_for_syn", "on_loop_start"}),
    ("waitress/task.py", {"handler_thread"}),
    ("cheroot/workers/threadpool.py", {"run"}),
    ("gevent/threadpool.py", {"run", "__run_task", "_worker"}),
    ("anyio/_backends/_asyncio.py", {"run"}),
    ("sentry_sdk/worker.py", {"_target"}),
    ("logging/handlers.py", {"_monitor", "dequeue"}),
    ("dramatiq/worker.py", {"run"}),
    ("huey/consumer.py", {"loop", "run"}),
    ("apscheduler/schedulers/blocking.py", {"_main_loop"}),
    ("opentelemetry/sdk/trace/export/__init__.py", {"worker"}),
    ("opentelemetry/sdk/_shared_internal/__init__.py", {"worker"}),
    # Servers that wait for a connection or for a client's next request.
    ("socketserver.py", {"serve_forever", "get_request"}),
    ("gunicorn/workers/sync.py", {"wait", "run_for_one", "run_for_multiple", "run"}),
    ("gunicorn/workers/gthread.py", {"run"}),
    ("gunicorn/workers/ggevent.py", {"run"}),
    ("gunicorn/workers/geventlet.py", {"run"}),
    ("waitress/wasyncore.py", {"poll", "poll2", "loop"}),
    ("cheroot/connections.py", {"run", "_run"}),
    ("http/server.py", {"handle_one_request"}),
    ("wsgiref/simple_server.py", {"handle"}),
    ("kombu/utils/eventio.py", {"poll"}),
    ("kombu/asynchronous/hub.py", {"create_loop", "_loop"}),
    ("celery/worker/loops.py", {"asynloop", "synloop"}),
    # Event loops with nothing that is ready to run.
    ("asyncio/base_events.py", {"_run_once", "run_forever"}),
    ("asyncio/runners.py", {"run"}),  # uvloop waits in C below it
    ("gevent/hub.py", {"run"}),
    ("eventlet/hubs/hub.py", {"run", "wait"}),
    ("tornado/ioloop.py", {"start"}),
    ("trio/_core/_run.py", {"unrolled_run", "run"}),
    ("curio/kernel.py", {"_run", "run", "_kernel_run"}),
    ("twisted/internet/base.py", {"mainLoop", "run"}),
    # Supervisors.
    ("gunicorn/arbiter.py", {"sleep", "run", "wait_for_signals"}),
    ("uvicorn/supervisors/multiprocess.py", {"run"}),
    ("uvicorn/supervisors/basereload.py", {"pause", "run"}),
    ("celery/apps/multi.py", {"wait"}),
    ("multiprocessing/resource_tracker.py", {"main"}),
    ("multiprocessing/forkserver.py", {"main"}),
    ("threading.py", {"_shutdown"}),  # the interpreter waits for its threads to end
)  # fmt: skip
# What such a loop waits in. A thread that sits in one of these is idle only below such a loop.
_WAITS = (
    ("queue.py", {"get"}),
    ("multiprocessing/queues.py", {"get"}),
    ("multiprocessing/synchronize.py", {"__enter__", "acquire", "wait"}),
    ("gevent/_threading.py", {"acquire_with_timeout", "acquire", "get", "wait", "__wait_to_be_notified"}),
    ("sqlalchemy/util/queue.py", {"get"}),
    ("asyncio/locks.py", {"wait", "acquire"}),
    ("multiprocessing/connection.py", {"_poll", "_recv", "_recv_bytes", "poll", "recv", "recv_bytes", "wait"}),
    ("billiard/connection.py", {"_poll", "_recv", "_recv_bytes", "poll", "recv", "recv_bytes", "wait"}),
    ("billiard/queues.py", {"get", "get_payload"}),
    ("billiard/pool.py", {"recv", "_recv", "get"}),
    ("threading.py", {"wait", "wait_for", "_wait_for_tstate_lock", "join", "_wait"}),
    ("selectors.py", {"select"}),
    ("socket.py", {"accept", "readinto"}),
    ("ssl.py", {"read", "recv_into"}),
    ("selectors.py", {"_select"}),
    ("kombu/utils/eventio.py", {"poll", "_poll"}),
    ("eventlet/hubs/poll.py", {"wait", "do_poll"}),
    ("eventlet/hubs/epolls.py", {"do_poll"}),
    ("tornado/platform/asyncio.py", {"start"}),
    ("asyncio/selector_events.py", {"select"}),
    ("twisted/internet/epollreactor.py", {"doPoll"}),
    ("trio/_core/_io_epoll.py", {"get_events"}),
)  # fmt: skip
_QUEUES = (("queue.py", {"get"}),)
# Servers and workers: whatever of theirs waits with none of the application's code above it waits
# for a connection, a request or a job.
_SERVERS = (
    "gunicorn/workers/", "gunicorn/arbiter.py", "uvicorn/", "hypercorn/", "waitress/", "cheroot/",
    "werkzeug/serving.py", "socketserver.py", "wsgiref/", "aiohttp/web", "tornado/ioloop.py",
    "celery/worker/", "celery/concurrency/", "celery/bin/", "kombu/asynchronous/", "billiard/pool.py",
    "dramatiq/", "rq/worker", "huey/", "apscheduler/schedulers/", "gevent/hub.py", "gevent/baseserver.py", "gevent/threadpool.py",
    "eventlet/hubs/",
)  # fmt: skip
# The beginning of a thread; below it there is nothing.
_BEGINNINGS = (
    ("threading.py", {"_bootstrap", "_bootstrap_inner", "run"}),
    ("multiprocessing/process.py", {"run", "_bootstrap"}),
    ("billiard/process.py", {"run", "_bootstrap"}),
)
_ACCEPTS = ("socket.py", {"accept"})
_STANDARD = ("/lib/python", "/lib/pypy", "/lib64/python", ".zip/")
_INSTALLED = (*_STANDARD, "site-packages/", "dist-packages/")
_LIBRARY = (
    "concurrent/futures/",
    "threading.py",
    "socketserver.py",
    "selectors.py",
    "socket.py",
    "ssl.py",
    "queue.py",
    "http/client.py",
    "http/server.py",
    "urllib/request.py",
    "gunicorn/",
    "asyncio/",
)


@functools.lru_cache(maxsize=4096)
def is_library(file: str) -> bool:
    """Whether a file belongs to the interpreter or an installed package, by its path."""
    if file.startswith("<"):  # frozen into the interpreter, or made by exec
        return True
    return any(mark in file for mark in _INSTALLED) or any(
        file.startswith(mark) if mark.endswith("/") else is_file(file, mark) for mark in _LIBRARY
    )


@functools.lru_cache(maxsize=16384)
def is_file(path: str, end: str) -> bool:
    """Whether a path is that file of a library: `asyncio/locks.py` by its last parts, a single name in the standard one.

    An application has files such as `orders_queue.py` and `shop/queue.py` of its own. What is frozen into an
    executable has no folder.
    """
    if end.endswith("/"):  # any file of a folder
        return path.startswith(end) or f"/{end}" in path
    if path == end:
        return True
    if not path.endswith("/" + end):
        return False
    return "/" in end or not path.startswith("/") or _is_standard(path)


def _is_standard(path: str) -> bool:
    """Whether a file is of the standard library."""
    installed = "site-packages/" in path or "dist-packages/" in path
    return not installed and any(mark in path for mark in _STANDARD)


def application_frame(frames: Sequence[Frame]) -> Frame | None:
    """The innermost frame of the application's own code; the innermost of all if it has none."""
    for frame in frames:
        if _of_application(frame) and not _launches(frame):
            return frame
    return frames[0] if frames else None


def _of_application(frame: Frame) -> bool:
    """Code outside the library, or a program given with `-c` or on standard input."""
    if frame.file in {"<string>", "<stdin>"}:
        return frame.function == "<module>"
    return not is_library(frame.file)


def _launches(frame: Frame) -> bool:
    """Whether it is the script that an installed package starts with: `<module> (bin/gunicorn)`."""
    return frame.function == "<module>" and "/bin/" in frame.file


def bare_name(function: str) -> str:
    """`get` for `Queue.get`: Python before 3.11 does not say the class, so rules go by the name."""
    return function.rpartition(".")[2]


def work(stack: ThreadStack) -> Work:
    """Whether the thread is at work, waits for work, or cannot be told.

    Idle is only what is known: the thread sits in the loop of a library that waits for work, or
    directly below it, or the kernel saw it wait in accept at the same moment. A loop of the
    application's own that sleeps, or waits for an event, may be either.
    """
    if stack.kernel is not None and stack.kernel.state in {"T", "t", "Z", "X"}:
        return "unknown"
    if _waits_for_work(stack):
        return "idle"
    if not stack.frames:
        return kernel_work(stack.kernel) if stack.kernel is not None else "unknown"
    if stack.active:
        return "busy"
    if stack.kernel is not None and kernel_work(stack.kernel) == "busy":
        return "busy"
    return "unknown" if _rests(stack.frames) else "busy"


def is_idle(stack: ThreadStack) -> bool:
    """Whether the thread is known to wait for work."""
    return work(stack) == "idle"


def is_busy(stack: ThreadStack) -> bool:
    """Whether the thread is at work: neither waiting for it nor beyond what can be told."""
    return work(stack) == "busy"


def _waits_for_work(stack: ThreadStack) -> bool:
    if stack.kernel is not None and (stack.kernel.syscall or "").startswith("accept"):
        return True
    return bool(stack.frames) and _loops(stack.frames)


@functools.lru_cache(maxsize=4096)  # a thousand threads stand at a few places, look after look
def _loops(frames: tuple[Frame, ...]) -> bool:
    """Whether it sits in the loop of a library that waits for work, or directly below it."""
    if _at(frames[0], (_ACCEPTS,)):
        return True
    above = 0
    while above < len(frames) and _at(frames[above], _WAITS):
        above += 1
    if above == len(frames):
        return False
    return _at(frames[above], _WORK_LOOPS) or (
        above > 0 and any(part in frames[above].file for part in _SERVERS)
    )


@functools.lru_cache(maxsize=4096)
def _rests(stack: tuple[Frame, ...]) -> bool:
    """Whether a loop of the application's own rests between two rounds, or waits for an event.

    It has one function of the application on its stack, called by nobody but the beginning of its
    thread or its process, and sleeps or waits right there; or its main thread waits for others to end.
    Who takes from a queue may do so one function further down.
    """
    begun = next((i for i, f in enumerate(stack) if _at(f, _BEGINNINGS)), len(stack))
    frames = stack[:begun]
    own = [f for f in frames if _of_application(f)]
    above = 0
    while above < len(frames) and _at(frames[above], _WAITS):
        above += 1
    most = 2 if any(_at(f, _QUEUES) for f in frames[:above]) else 1
    return (
        len(own) <= most and len(frames[above:]) <= most and all(f in own for f in frames[above:])
    )


def waits_directly(
    stack: ThreadStack, places: Sequence[tuple[str, set[str] | frozenset[str]]]
) -> bool:
    """Whether the thread waits in one of the places: above it stand nothing but waits.

    A thread that connects, retries or sleeps below a pool's checkout does not wait for the pool.
    """
    for frame in stack.frames:
        name = bare_name(frame.function)
        if any(name in names and is_file(frame.file, part) for part, names in places):
            return True
        if not _at(frame, _WAITS):
            return False
    return False


def _at(frame: Frame, places: Sequence[tuple[str, set[str]]]) -> bool:
    name = bare_name(frame.function)
    return any(name in names and is_file(frame.file, file) for file, names in places)


def short_path(file: str) -> str:
    """The end of a path that tells files of one name apart."""
    return "/".join(file.rsplit("/", 2)[-2:]) if file.startswith("/") else file
