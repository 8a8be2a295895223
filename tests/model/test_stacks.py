"""Busy, idle or not to be told: by stacks, and by the kernel alone."""

from __future__ import annotations

import pytest

from locard.model.facts import Frame, ThreadStack, ThreadState
from locard.model.stacks import application_frame, is_file, is_library, waits_directly, work
from locard.model.waits import kernel_words, kernel_work

BOOT = ("run threading.py", "_bootstrap_inner threading.py", "_bootstrap threading.py")
SITE = "/srv/venv/lib/python3.11/site-packages"


def stack(*frames, active=False, kernel=None):
    found = [f.partition(" ") for f in frames]
    return ThreadStack(
        0, 7, 9, "t", active, tuple(Frame(name, file, 1) for name, _, file in found), kernel
    )


def state(call, *fds, word="S", **more):
    return ThreadState(0, 7, 9, "x", word, call, None, fds=tuple((f, 1) for f in fds), **more)


@pytest.mark.parametrize(
    "frames",
    [
        ("_worker concurrent/futures/thread.py", *BOOT),
        ("wait threading.py", "get queue.py", f"worker {SITE}/billiard/pool.py"),
        ("accept socket.py", "serve /srv/app.py", "main /srv/app.py", "<module> /srv/app.py"),
        ("select selectors.py", "_run_once asyncio/base_events.py", "main /srv/app.py"),
        ("select selectors.py", "serve_forever socketserver.py", "<module> /srv/app.py"),
        ("sleep gunicorn/arbiter.py", "run gunicorn/arbiter.py"),
        (f"run {SITE}/gevent/hub.py",),
        ("readinto socket.py", "handle_one_request http/server.py", "handle http/server.py"),
        (f"poll {SITE}/kombu/utils/eventio.py", f"asynloop {SITE}/celery/worker/loops.py"),
    ],
)
def test_a_known_wait_for_work_is_idle(frames):
    assert work(stack(*frames)) == "idle"


@pytest.mark.parametrize(
    "frames",
    [
        ("get queue.py", f"_do_get {SITE}/sqlalchemy/pool/impl.py", "order /srv/app.py"),
        ("wait threading.py", "result concurrent/futures/_base.py", "pay /srv/app.py", *BOOT),
        ("readinto socket.py", f"send {SITE}/requests/adapters.py", "quote /srv/app.py"),
        ("wait threading.py", "pay /srv/app.py", "handle /srv/app.py", *BOOT),
        ("reserve /srv/app.py", "work /srv/app.py", *BOOT),
        ("select selectors.py", "communicate subprocess.py", "render /srv/app.py"),
    ],
)
def test_any_other_wait_is_busy(frames):
    assert work(stack(*frames)) == "busy"


@pytest.mark.parametrize(
    "frames",
    [
        ("work /srv/app.py", *BOOT),  # sleeps between two rounds, or hangs
        ("wait threading.py", "refresh /srv/app.py", *BOOT),
        ("get queue.py", "consume /srv/app.py", *BOOT),
        ("<module> /srv/app.py",),
        ("<module> <string>",),  # python -c
        (),
    ],
)
def test_what_cannot_be_told_is_neither(frames):
    assert work(stack(*frames)) == "unknown"


def test_the_kernel_of_that_moment_decides_what_the_stack_leaves_open():
    own = ("work /srv/app.py", *BOOT)
    assert work(stack(*own, kernel=state("accept4", "listening"))) == "idle"
    assert work(stack(*own, kernel=state("recvfrom", "outgoing", peer="127.0.0.1:1"))) == "busy"
    assert work(stack(*own, kernel=state("fsync", "file", word="D"))) == "busy"
    assert work(stack(*own, kernel=state("futex"))) == "unknown"
    assert work(stack(*own, active=True)) == "busy"
    stopped = state("futex", word="T")
    assert work(stack("_worker concurrent/futures/thread.py", kernel=stopped)) == "unknown"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (state("epoll_wait", "listening", "event", "incoming"), "idle"),
        (state("epoll_wait", "event", "pipe"), "unknown"),
        (state("epoll_wait", "listening", "outgoing"), "unknown"),
        (state("poll", "outgoing"), "busy"),
        (state("poll", "udp"), "busy"),
        (state("accept", "listening"), "idle"),
        (state("recvfrom", "incoming"), "idle"),
        (state("recvfrom", "outgoing"), "busy"),
        (state("wait4"), "idle"),
        (state("futex"), "unknown"),
        (state("clock_nanosleep"), "unknown"),
        (state("connect", "outgoing"), "busy"),
        (state("fdatasync", "file", word="D"), "busy"),
        (state(None, word="R"), "busy"),
        (state(None, word="T"), "unknown"),
        (state("epoll_wait", "listening", word="T"), "unknown"),
    ],
)
def test_the_kernel_alone(found, kind):
    assert kernel_work(found) == kind


def test_connecting_is_told_from_waiting_for_an_answer():
    assert kernel_words(state("connect", "outgoing", peer="10.0.0.1:5432")) == (
        "waits for the connection to 10.0.0.1:5432"
    )
    assert kernel_words(state("recvfrom", "outgoing", peer="10.0.0.1:5432")) == (
        "waits for the answer of 10.0.0.1:5432"
    )
    assert "client" in kernel_words(state("recvfrom", "incoming", client="10.0.0.9:40000"))
    interpreter = state("futex", futex=1, futex_in="/usr/bin/python3.11 (zeroed data)")
    assert kernel_words(interpreter) == "waits for the GIL"


def test_a_server_that_waits_is_idle_whatever_its_functions_are_called():
    wait = "EpollSelector.select /usr/lib/python3.11/selectors.py"
    loop, launched = f"a_new_loop {SITE}/gunicorn/workers/gthread.py", "<module> /opt/bin/gunicorn"
    assert work(stack(wait, loop, launched)) == "idle"
    busy = stack(wait, "fetch /srv/app.py", loop, launched)
    assert work(busy) == "busy", "the application waits, called by the server"


def test_the_script_that_starts_a_server_is_not_the_application():
    launched = "<module> /opt/bin/gunicorn"
    bare = stack(f"run {SITE}/gunicorn/app.py", launched)
    assert application_frame(bare.frames).function == "run"
    own = stack("recv /usr/lib/python3.11/socket.py", "main /srv/app.py", launched)
    assert application_frame(own.frames).function == "main"


def test_a_worker_process_that_waits_at_its_queue_cannot_be_told():
    begun = ("run /usr/lib/python3.11/multiprocessing/process.py", "<module> /srv/app.py")
    lock = "__enter__ /usr/lib/python3.11/multiprocessing/synchronize.py"
    get = "get /usr/lib/python3.11/multiprocessing/queues.py"
    assert work(stack(lock, get, "worker /srv/app.py", *begun)) == "unknown"
    at_work = stack(lock, get, "fetch /srv/app.py", "worker /srv/app.py", *begun)
    assert work(at_work) == "busy"
    feeder = stack("wait /usr/lib/python3.11/threading.py", "_feed /x/multiprocessing/queues.py")
    assert work(feeder) == "idle"


def test_a_thread_waits_in_a_pool_only_if_nothing_but_waits_stands_above():
    places = (("redis/connection.py", {"get_connection"}),)
    pool = f"get_connection {SITE}/redis/connection.py"
    waits = stack("wait /usr/lib/python3.11/threading.py", "get /usr/lib/python3.11/queue.py", pool)
    assert waits_directly(waits, places)
    connects = stack(f"connect {SITE}/redis/connection.py", pool)
    retries = stack(f"call_with_retry {SITE}/redis/retry.py", pool)
    assert not waits_directly(connects, places)
    assert not waits_directly(retries, places)


@pytest.mark.parametrize(
    ("path", "end", "is_one"),
    [
        ("/usr/lib/python3.11/queue.py", "queue.py", True),
        ("queue.py", "queue.py", True),  # frozen into an executable
        ("/srv/app/queue.py", "queue.py", False),
        ("/srv/app/orders_queue.py", "queue.py", False),
        (f"{SITE}/sqlalchemy/util/queue.py", "queue.py", False),
        (f"{SITE}/sqlalchemy/util/queue.py", "sqlalchemy/util/queue.py", True),
        ("/srv/my_asyncio/locks.py", "asyncio/locks.py", False),
        (f"{SITE}/gunicorn/workers/sync.py", "gunicorn/workers/", True),
    ],
)
def test_a_file_of_a_library_is_known_by_its_place(path, end, is_one):
    assert is_file(path, end) is is_one
    assert not is_library("/srv/app/orders_queue.py")


def test_code_of_the_application_stays_where_its_file_ends_like_a_librarys():
    frames = ("wait threading.py", "get queue.py", "handle /srv/app/job_queue.py", *BOOT)
    assert application_frame(stack(*frames).frames).function == "handle"
