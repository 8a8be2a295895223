"""The truth of each live case: what the first screen has to name, and what would be untrue.

`names` are patterns that all have to stand on the first screen; `never` are patterns that must not.
The truth comes from how each case is made, not from what locard says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from locard.lab.false_claims import Known

_CALM = (r"Nothing was found", r"Nothing changed", r"every thread (that was seen )?waits for work")
_PEER = r"127\.0\.0\.1:\d+"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a case: the tag of its output, what is known, what has to be named."""

    tag: str
    known: Known
    names: tuple[str, ...] = ()
    never: tuple[str, ...] = field(default=_CALM)


def _broken(*factors: str, **known: object) -> Known:
    return Known(broken=True, factors=frozenset(factors), **known)  # type: ignore[arg-type]


_FINE = Known(broken=False)
_CALM_OF_A_PROCESS = (r"every thread (that was seen )?waits for work",)

CASES: dict[str, tuple[Asked, ...]] = {
    "01-gunicorn-requests-hang": (
        Asked(
            "text",
            _broken(
                "upstream-slow", "worker-restarts", "thread-exhaustion", "restart-loop", busy=True
            ),
            (rf"waits? for the answer of {_PEER}|{_PEER}[^.]* (does not|never) answer",),
            (*_CALM, r"waits for a lock, in <module>", r"it is everyone"),
        ),
    ),
    "02-pg-lock-wait": (
        Asked("text", _broken("db-lock-wait", "upstream-slow", busy=True), (r"PostgreSQL",
              r"lock|waiting")),
        Asked("postgres", _broken("db-lock-wait"), (r"lock|waiting", r"idle in transaction")),
    ),
    "03-sqlalchemy-pool-leak": (
        Asked(
            "text",
            _broken("connection-pool-exhausted", busy=True),
            (r"QueuePool|pool",),
            (*_CALM, r"waits for a lock, in <module>"),
        ),
    ),
    "04-uvicorn-blocking": (
        Asked("text", _broken("event-loop-blocked", "hot-function", busy=True),
              (r"event loop", r"login")),
    ),
    "05-close-wait-leak": (
        Asked("text", _broken("close-wait-leak", "fd-exhaustion"), (r"CLOSE[_-]WAIT",), _CALM[:2]),
    ),
    "07-nginx-keepalive-502": (
        Asked("text", _broken("upstream-errors"), (r"prematurely closed",),
              (*_CALM, r"answers slowly")),
    ),
    "08-celery-oom": (
        Asked("text", _broken("oom-kill", "memory-leak", "memory-pressure"), (r"OOM|memory",)),
    ),
    "10-deleted-log-disk-full": (
        Asked("text", _broken("disk-full", "deleted-file-held"), (r"full|No space left",
              r"deleted"), _CALM[:2]),
    ),
    "11-dns-timeouts": (
        Asked("text", _broken("dns-slow", "dns-failing", busy=True), (r"DNS|127\.0\.0\.11:53",)),
    ),
    "14-uwsgi-listen-queue": (
        Asked("text", _broken("hot-function", "thread-exhaustion", "cpu-saturation",
                              "accept-queue-overflow", busy=True), (r"render",)),
    ),
    "17-healthy": tuple(
        Asked(tag, _FINE, (), _CALM_OF_A_PROCESS if tag == "none" else (r"got worse",))
        for tag in "acde"
    ),
    "19-container-like": (
        Asked("text", _broken("lock-contention", busy=True), (r"lock", r"refresh_token")),
    ),
    "20-nonroot-pypy": (
        Asked("root", _broken(busy=True), (r"CAP_SYS_PTRACE|not permitted|permission|as root",)),
        Asked("own", _broken("lock-contention", busy=True), (r"lock|CAP_SYS_PTRACE|permission",)),
        Asked("pypy", _broken("lock-contention", busy=True), (r"PyPy",)),
    ),
    "22-old-onset-and-rotation": (
        Asked("a", _broken("upstream-errors", "peer-unreachable"), (r"35 min|connect timeout",)),
        Asked("b", _broken("upstream-errors", "peer-unreachable"), (r"connect timeout|60 %",)),
        Asked("d", _broken("upstream-errors", "peer-unreachable"), (r"connect timeout",)),
        # A file of its own, read a minute after its last line: that it is silent is true.
        Asked("e", _broken("upstream-errors", "peer-unreachable", "log-silence"),
              (r"(was|were|ended|over|recovered|until)",)),
    ),
    "23-non-http-ports": tuple(
        Asked(tag, _FINE, (), (r"got worse", r"iban=")) for tag in ("redis", "postgres", "raw")
    ),
    "25-hex-ids-and-steady-pace": (
        Asked("text", _broken(), (), (r"it is everyone", r"what a limit let through")),
    ),
}  # fmt: skip
