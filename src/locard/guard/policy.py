"""The policy file: a ceiling on impact that no flag raises.

    max_impact = "samples"          # for everything

    [[limit]]
    target = "unit/payment*"        # shell pattern over the target as written; optional
    place = "host/db-*"             # shell pattern over where it runs, with USER@ or without; optional
    namespace = "prod"              # of a cluster; optional
    user = "alice"                  # optional
    max_impact = "reads"

The strictest limit that fits holds. The file must belong to root and be writable by root only.
Only a policy makes a gate, so that nothing runs which it was not asked about.
"""

from __future__ import annotations

import fnmatch
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.model.errors import NotPermittedError, UsageError
from locard.model.place import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from locard.guard.command import Template
    from locard.model.place import Place

POLICY_PATH = Path("/etc/locard/policy.toml")
_GROUP_OR_WORLD_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Limit:
    """One ceiling and whom it is for."""

    max_impact: Impact
    target: str = "*"
    user: str = "*"
    place: str = "*"
    namespace: str = "*"


@dataclass(frozen=True, slots=True)
class Policy:
    """All limits of one file; an empty policy caps nothing."""

    limits: tuple[Limit, ...] = ()
    path: Path | None = None

    def cap(self, target: str, user: str, place: Place = HERE) -> tuple[Impact, str]:
        """The highest impact permitted for a target at a place and a user, and the reason in words."""
        namespace = place.option("namespace")
        fitting = [
            limit.max_impact
            for limit in self.limits
            if _fits(_names(target), limit.target)
            and _fits((user,), limit.user)
            and _fits(_names(place.ref, place.option("address")), limit.place)
            and _fits((namespace,), limit.namespace)
        ]
        if not fitting:
            return Impact.INJECTS, "no policy limits it"
        cap = min(fitting)
        return cap, f"{self.path} allows {cap.word} for {target} and {user}"

    def gate(
        self,
        declared: Mapping[str, tuple[Template, ...]],
        allow: Impact,
        *,
        target: str,
        user: str,
        place: Place = HERE,
    ) -> Gate:
        """The gate for a target at a place: what is declared, up to what is allowed and permitted."""
        cap, why = self.cap(target, user, place)
        return Gate(declared, allow, cap=cap, why=why)

    def reading_gate(
        self, declared: Mapping[str, tuple[Template, ...]], target: str, user: str, place: Place
    ) -> Gate:
        """A gate for commands that only read, such as those that print a log."""
        return self.gate(declared, Impact.READS, target=target, user=user, place=place)


def _fits(names: Sequence[str], pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def _names(ref: str, address: str = "") -> tuple[str, ...]:
    """A host is the same one whoever logs in (host/USER@NAME, host/NAME), and by its address."""
    kind, _, name = ref.partition("/")
    more = (name.rpartition("@")[2], address) if kind == "host" else ()
    return (ref, *(f"{kind}/{n}" for n in more if n))


def read_policy(path: Path = POLICY_PATH, *, owner: int = 0) -> Policy:
    """The policy in the file, an empty one where there is none.

    Raises NotPermittedError if the file is not `owner`'s alone to write, UsageError if it is not
    a policy. A policy that cannot be read stops locard: guessing would loosen it.
    """
    try:
        mode = path.stat()
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as error:
        raise NotPermittedError(
            f"cannot read the policy {path}", str(error), "Ask its owner to make it readable."
        ) from error
    if mode.st_uid != owner or mode.st_mode & _GROUP_OR_WORLD_WRITABLE:
        raise NotPermittedError(
            f"the policy {path} cannot be trusted",
            "it must belong to root and be writable by root only",
            f"Run: sudo chown root:root {path} && sudo chmod 644 {path}",
        )
    try:
        return Policy(_limits(tomllib.loads(text)), path)
    except (tomllib.TOMLDecodeError, UsageError, TypeError, AttributeError) as error:
        raise UsageError(f"the policy {path} is not valid", str(error), "Mend the file.") from error


def _limits(data: dict[str, Any]) -> tuple[Limit, ...]:
    _only(data, {"max_impact", "limit"})
    limits = [Limit(Impact.parse(data["max_impact"]))] if "max_impact" in data else []
    for entry in data.get("limit", ()):
        _only(entry, {"max_impact", "target", "user", "place", "namespace"})
        if "max_impact" not in entry:
            raise UsageError("a limit has no max_impact", "it would limit nothing", "Add one.")
        limits.append(
            Limit(
                Impact.parse(entry["max_impact"]),
                **{k: entry.get(k, "*") for k in ("target", "user", "place", "namespace")},
            )
        )
    return tuple(limits)


def _only(data: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise UsageError(
            f"unknown key {unknown[0]!r}", f"known are {', '.join(sorted(known))}", "Mend the file."
        )
