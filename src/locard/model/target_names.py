"""What a name in a target may look like, in the words of who asked."""

from __future__ import annotations

import re

from locard.model.errors import UsageError

# What is reached by the user's own kubectl.
IN_CLUSTER = (
    "pod", "deployment", "deploy", "statefulset", "sts", "daemonset", "ds", "job", "cronjob", "replicaset",
    "rs", "label",
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_.@][A-Za-z0-9_.:@/+-]*")
_KINDS = {
    "container": (_WORD, "a container is its name or its ID", "Write container/NAME."),
    "pod": (_WORD, "a pod is named as `kubectl get pods` lists it", "Write pod/NAME."),
    "unit": (_WORD, "a unit is named as `systemctl list-units` lists it", "Write unit/NAME."),
    "label": (
        re.compile(r"[^-\0][^\0]*"),
        "a selector is as kubectl takes it: KEY=VALUE, with commas between several",
        "Write label/app=NAME, or -l app=NAME.",
    ),
}


KINDS = frozenset(_KINDS)


def require(kind: str, name: str) -> str:
    """The name, where it can be one of that kind; raises UsageError."""
    form, why, step = _KINDS[kind]
    if form.fullmatch(name):
        return name
    raise UsageError(f"{name!r} is no {kind}", why, step)
