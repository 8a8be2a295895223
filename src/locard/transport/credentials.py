"""What opens a door at an address: headers and TLS files that were given for it, in memory only.

They go before the source of the program that asks (`prepared`), so that they stand in no argv, no
record and no environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers as (name, value); `tls`: `ca`, `cert`, `key` as PEM texts, `skip` for no check at all.

    `beside`: headers of another address that is asked along with it, by scheme, host and port.
    """

    headers: tuple[tuple[str, str], ...] = ()
    tls: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


_NONE = Credentials()
_kept: dict[str, Credentials] = {}


def keep(url: str, known: Credentials) -> None:
    """Use these for every request to the scheme, host and port of a URL."""
    _kept[_origin(url)] = known


def of(url: str) -> Credentials:
    """Those that were given for an address; none else."""
    return _kept.get(_origin(url), _NONE)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
