"""Reading stacks: which frame is the application's, and which threads merely wait for work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.facts import Frame, ThreadStack

# Where the thread of a pool or a server sits while it has nothing to do: (file ending, functions).
_IDLE = (
    ("concurrent/futures/thread.py", {"_worker"}),
    ("multiprocessing/pool.py", {"worker", "_handle_tasks", "_handle_results"}),
    ("queue.py", {"get"}),
    ("selectors.py", {"select"}),
    ("socketserver.py", {"serve_forever", "get_request"}),
    ("gunicorn/arbiter.py", {"sleep", "run", "wait_for_signals"}),
    ("gunicorn/workers/sync.py", {"wait"}),
    ("asyncio/base_events.py", {"_run_once", "run_forever"}),
    ("threading.py", {"_wait_for_tstate_lock", "_bootstrap_inner"}),
)
# Waits whose caller tells whether they are idle: a thread parked in one by its own loop is.
_PARKED = (
    ("threading.py", {"wait", "wait_for"}),
    ("selectors.py", {"select"}),
    ("queue.py", {"get"}),
)
_LIBRARY = (
    "/lib/python",
    "site-packages/",
    "dist-packages/",
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


def is_library(file: str) -> bool:
    """Whether a file belongs to the interpreter or an installed package, by its path."""
    if file.startswith("<"):  # frozen into the interpreter, or made by exec
        return True
    return any(mark in file if "/" in mark else file.endswith(mark) for mark in _LIBRARY)


def application_frame(frames: Sequence[Frame]) -> Frame | None:
    """The innermost frame of the application's own code; the innermost of all if it has none."""
    for frame in frames:
        if not is_library(frame.file):
            return frame
    return frames[0] if frames else None


def bare_name(function: str) -> str:
    """`get` for `Queue.get`: Python before 3.11 does not say the class, so rules go by the name."""
    return function.rpartition(".")[2]


def is_idle(stack: ThreadStack) -> bool:
    """Whether the thread waits for work: it sits in a pool's or a server's own loop.

    A thread that waits inside a request is not idle: application code stands below the wait.
    """
    if not stack.frames:
        return True
    if not _innermost(stack, _IDLE):
        return False
    own = _own(stack)
    return not own or (_innermost(stack, _PARKED) and len(own) <= 1)


def is_busy(stack: ThreadStack) -> bool:
    """Whether the thread is at work: neither idle nor a background loop between two rounds.

    Such a loop has one function of the application on its stack and sleeps or waits right there.
    """
    if is_idle(stack):
        return False
    own = _own(stack)
    innermost = stack.frames[0]
    rests = innermost in own or innermost.file.endswith("threading.py")
    return stack.active or len(own) > 1 or not rests


def _own(stack: ThreadStack) -> list[Frame]:
    return [frame for frame in stack.frames if not is_library(frame.file)]


def _innermost(stack: ThreadStack, places: tuple[tuple[str, set[str]], ...]) -> bool:
    frame = stack.frames[0]
    name = bare_name(frame.function)
    return any(frame.file.endswith(file) and name in names for file, names in places)
