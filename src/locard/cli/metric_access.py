"""What opens the door of a metrics server: headers, a token, TLS; and moments as people write them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_ALERT = "alert"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Headers, token and TLS."""
    group = parser.add_argument_group("access to the server (user:password@ in the URL works too)")
    group.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'",
        help="sent with each request, as a tenant's X-Scope-OrgID; @FILE has one on each line",
    )  # fmt: skip
    group.add_argument("--bearer", metavar="FILE", help="a file with a token")
    group.add_argument("--tls-ca", metavar="FILE", help="certificates of authorities to trust")
    group.add_argument("--tls-cert", metavar="FILE", help="a client certificate")
    group.add_argument("--tls-key", metavar="FILE", help="its key")
    group.add_argument("--tls-skip-verify", action="store_true", help="take any certificate")


def urls_in(words: Sequence[str]) -> list[str]:
    """Those of some words that are URLs, as they can be asked; raises UsageError where one cannot."""
    found = [w for w in words if w.lower().startswith(("http://", "https://"))]
    return [_checked(url) for url in found]


def _checked(url: str) -> str:
    """The URL, its scheme in small letters; raises UsageError, without what may be a password."""
    try:
        parts = urlsplit(url)
        wrong = "" if parts.hostname and parts.port != 0 else "it names no host, or port 0"
    except ValueError as error:
        wrong = str(error).partition(":")[0]
    if not url.isascii() or not url.isprintable() or " " in url:
        wrong = "it has letters that a URL has as %XX"
    if wrong:
        raise UsageError(
            f"{url.partition(':')[0].lower()}://{url.rpartition('@')[2].rpartition('://')[2]} cannot be asked",
            wrong,
            "Write it as http://127.0.0.1:9090",
        )
    return parts.geturl()


def keep(args: argparse.Namespace, urls: Sequence[str]) -> None:
    """Keep what was given for these URLs, in memory; raises UsageError.

    A login in the URL of an Alertmanager is taken out of it: it is asked along with the server.
    """
    from locard.transport import credentials  # noqa: PLC0415 - keeps `--help` quick

    headers = [_header(line) for given in args.header for line in _lines(given)]
    if args.bearer:
        token = _read(args.bearer, "--bearer").strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError(
                f"--bearer {args.bearer} holds no token",
                "a token is one word of plain letters",
                "Write the token alone into the file.",
            )
        headers.append(("Authorization", f"Bearer {token}"))
    tls = [
        (name, _read(path, flag))
        for name, path, flag in (
            ("ca", args.tls_ca, "--tls-ca"), ("cert", args.tls_cert, "--tls-cert"), ("key", args.tls_key, "--tls-key"),
        )
        if path
    ]  # fmt: skip
    if args.tls_skip_verify:
        tls.append(("skip", "yes"))
    if args.tls_key and not args.tls_cert:
        raise UsageError(
            "--tls-key has no certificate", "it is that of --tls-cert", "Pass --tls-cert FILE, too."
        )
    beside = _login_of_alertmanager(args)
    for url in urls:
        credentials.keep(url, credentials.Credentials(tuple(headers), tuple(tls), beside))


def _login_of_alertmanager(
    args: argparse.Namespace,
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Headers by the address that they are for; what was given has no login in it afterwards."""
    given = args.param_alertmanager or ""
    parts = urlsplit(next(iter(urls_in([given])), ""))
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return ()
    args.param_alertmanager = urlunsplit((parts.scheme, host, *parts[2:]))
    user, _, password = login.partition(":")
    words = f"{unquote(user)}:{unquote(password)}".encode()
    header = ("Authorization", f"Basic {base64.b64encode(words).decode()}")
    return ((f"{parts.scheme}://{host}", (header,)),)


def _lines(given: str) -> list[str]:
    if not given.startswith("@"):
        return [given]
    return [line for line in _read(given[1:], "--header").splitlines() if line.strip()]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    plain = all(c.isalnum() or c in "-_" for c in name.strip()) and name.strip().isascii()
    if not colon or not plain or not value.strip().isprintable() or not value.isascii():
        raise UsageError(
            "--header has no header",
            "it is written 'NAME: VALUE'",
            "Write for example --header 'X-Scope-OrgID: shop'",
        )
    return name.strip(), value.strip()


def _read(path: str, flag: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise UsageError(
            f"{flag} {path} cannot be read", why, "Name a file that you may read."
        ) from error


def moment_of(text: str) -> str:
    """`alert`, or a time as Unix seconds; raises UsageError."""
    if text == _ALERT:
        return text
    from locard.where import times  # noqa: PLC0415 - keeps `--help` quick

    return f"{times.moment(text, times.Clock()):.0f}"
