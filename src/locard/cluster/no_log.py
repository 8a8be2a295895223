"""What kubectl and the kubelet print in place of a log: on standard output, with exit status 0.

With `--ignore-errors` kubectl writes its errors among the lines of the log; the kubelet answers for a run
whose log it has removed with a sentence of its own. With `--prefix` and `--timestamps` every line of a
log begins with its pod and its time, so these can be told from it by their form.
Source: kubernetes/kubectl, cmd/logs; kubernetes/kubernetes, pkg/kubelet (ReadLogs, GetKubeletContainerLogs).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.workload import NoLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.model.workload import NoLogKind

_KUBECTL = rb"error: |Error from server|Error: |[Uu]nable to |[Ww]arning: "
_KUBELET = (
    rb"unable to retrieve container logs for |failed to (?:try resolving symlinks in path|open log file) "
    rb"|rpc error: code = "
)
_LONGEST = 400
_HEAD = re.compile(r"^\[pod/([^/\]]+)/([^\]]+)\] (.*)$")
_NAMED = re.compile(r'container "?([^\s"]+)"? in pod "?([^\s"]+?)"? (is|not)\b')


class LogFilter:
    """Takes from blocks of kubectl's lines what is no line of a wanted log, and keeps what it says.

    `others` are pods that the selector picks and that belong to somebody else.
    """

    def __init__(self, others: Iterable[str] = ()) -> None:
        """Nothing was seen yet."""
        names = b"|".join(re.escape(name.encode()) for name in others)
        strange = rb"\[pod/(?:" + names + rb")/[^\n]*\n?|" if names else b""
        self._odd = re.compile(
            rb"^(?:" + strange + rb"(?:" + _KUBECTL + rb")[^\n]*\n?"
            rb"|\[pod/[^\]\n]*\] (?:" + _KUBELET + rb")[^\n]*\n?)",
            re.MULTILINE,
        )
        self._others = tuple(f"[pod/{name}/".encode() for name in others)
        self.said: dict[str, None] = {}

    def __call__(self, block: bytes) -> bytes:
        """The block without them."""
        return self._odd.sub(self._taken, block)

    def _taken(self, found: re.Match[bytes]) -> bytes:
        if not found[0].startswith(self._others or b"\n"):
            self.said[found[0].decode("utf-8", "replace").strip()[:_LONGEST]] = None
        return b""


def no_logs(said: Iterable[str]) -> tuple[NoLog, ...]:
    """What each sentence says, and of which container."""
    return tuple(map(_no_log, said))


def _no_log(said: str) -> NoLog:
    head = _HEAD.match(said)
    if head:
        return NoLog(head[1], head[2], "removed", head[3])
    named = _NAMED.search(said)
    pod, container = (named[2], named[1]) if named else ("", "")
    words = said.removeprefix("error: ")
    return NoLog(pod, container, _kind(said), words)


def _kind(said: str) -> NoLogKind:
    if "waiting to start" in said or "is not available" in said:
        return "not-started"
    if "previous terminated container" in said:
        return "no-previous-run"
    return "refused"
