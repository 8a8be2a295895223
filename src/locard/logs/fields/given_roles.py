"""Meanings of fields that a person has said: by flag, or for each service in a file.

The file is `fields.toml` in the configuration directory (LOCARD_CONFIG, else XDG_CONFIG_HOME/locard,
else ~/.config/locard); `["*"]` holds for every service:

    ["*"]
    trace_id = "x_corr"

    [payment]
    status = "result_code"
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from locard.logs.fields.role_names import ROLES
from locard.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from locard.logs.fields.profile import FieldProfile

_MOST_BYTES = 1 << 20
_SERVICE_FIELDS = {"service", "service.name", "service_name", "app", "application"}


LOG_ZONE = "log-tz"  # beside the roles: the zone (IANA's name) of times that name none


def default_path() -> Path:
    """Where the file is looked for."""
    chosen = os.environ.get("LOCARD_CONFIG")
    if chosen:
        return Path(chosen) / "fields.toml"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "locard" / "fields.toml"


def parse_flags(flags: Iterable[str]) -> dict[str, str]:
    """Role to field from `role=name` words; raises UsageError."""
    given = {}
    for flag in flags:
        role, equals, name = flag.partition("=")
        if not equals or not name:
            raise UsageError(
                f"{flag!r} gives no field a meaning",
                "it is written role=name",
                "For example status=code.",
            )
        given[_role(role, "--field")] = name
    return given


def given_for(fields: Sequence[FieldProfile], flags: Mapping[str, str]) -> dict[str, str]:
    """Role to field for the log with these fields: the flags before the file."""
    services = {v for f in fields if f.name in _SERVICE_FIELDS for v in f.values}
    return {**given_roles(services, [f.name for f in fields]), **flags}


def given_roles(
    services: Iterable[str], known: Iterable[str], path: Path | None = None
) -> Mapping[str, str]:
    """Role to field from the file, for the services of a log; raises UsageError on a bad file.

    `services` are the values of the log's service field (its own name where it has none), `known`
    the fields that it has: what the file says of others does not concern it.
    """
    path = path or default_path()
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path}", str(error), "Correct it, or move it away."
        ) from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML", str(error), "Correct it there.") from error
    fields: set[str] = set(known)
    found: dict[str, str] = {}
    for service in ("*", *sorted(set(services))):
        table = tables.get(service, {})
        if not isinstance(table, dict):
            raise UsageError(
                f"{path}: {service!r} is no table",
                "each service has a table",
                f"Write [{service}].",
            )
        found |= {
            _role(role, str(path)): name
            for role, name in table.items()
            if isinstance(name, str) and name in fields
        }
    return found


def _role(role: str, where: str) -> str:
    if role not in ROLES:
        raise UsageError(
            f"there is no role {role!r} ({where})",
            f"roles are {', '.join(ROLES)}",
            "Pick one of these.",
        )
    return role
