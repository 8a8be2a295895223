"""Why a session did not open, in words: what every way in has in common.

What came from there is quoted: escaped, on one line, cut, and without the text that we sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from locard.model.errors import UnreachableError

LOST = "lost"  # the problem of a session that had been open
_KILLED = (137, -9)
_MOST_QUOTED = 200  # characters
_LINES_QUOTED = 3
# Where a shell that does not know our bootstrap repeats it, all from here on is ours.
_OUR_TEXT = re.compile(r"""['"`\u2018]?\b(?:exec )?/bin/sh\b.{0,10}-c\b.*|-I -S -B -c .*""")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


class Reason(NamedTuple):
    """One known way to fail: what its text looks like, and what that means."""

    pattern: str
    why: str
    next_step: str


class Failed(NamedTuple):
    """How an attempt ended."""

    place: str  # as the user wrote it: host/web-3
    exit_code: int | None  # of the client's; None where it was still waited for
    stderr: bytes
    noise: bytes  # of standard output, before any mark
    waited_s: float
    problem: str = ""  # `Handshake.problem`, or LOST


# What a login shell or a host says of itself, whichever way leads there.
_SHELLS = (
    Reason(
        r"account is (?:currently )?not available|account.{0,30}(?:disabled|locked)|nologin",
        "its login shell runs no commands (nologin)",
        "Use a user with a login shell.",
    ),
    Reason(
        r"git-shell|What do you think I am\? A shell|^fatal: unrecognized command|Interactive git shell",
        "its login shell runs git's commands only (git-shell)",
        "Use a user with a login shell.",
    ),
    Reason(
        r"sftp connections? only|SFTP only|scponly|rssh",
        "this key or user may transfer files only",
        "Use a user with a login shell.",
    ),
    Reason(
        r"restricted$|: restricted(?:: |$)|restricted: cannot specify",
        "its login shell is restricted (rbash): python3 cannot be started through it",
        "Use a user with a login shell that is not restricted.",
    ),
    Reason(
        r"password (?:has )?expired|[Pp]assword change required|change your password",
        "its password has expired: it must be changed in a session with a terminal first",
        "Log in once by hand.",
    ),
    Reason(
        r"Cannot fork|fork: |Resource temporarily unavailable|[Cc]annot allocate memory|MemoryError"
        r"|Out of memory|error while loading shared libraries.*cannot (?:map|allocate)",
        "no process could be started there: its memory, or what this user may have of it, is used up",
        "Free memory or processes there, or use another user.",
    ),
    Reason(
        r"(?i)system is (?:booting up|going down)|pam_nologin|unprivileged users are not permitted",
        "the system is starting or going down and lets no user in",
        "Try again when it has started.",
    ),
)


def explain(failed: Failed) -> UnreachableError:
    """Why nothing of ours spoke though the way in was open, or ("lost") why it stopped to."""
    if failed.problem == LOST:
        return _lost(failed)
    what = f"nothing of ours could be started at {failed.place}"
    ours = _OURS.get(failed.problem)
    if ours:
        return UnreachableError(what, ours.why, ours.next_step)
    said = quoted(failed.noise) or quoted(failed.stderr)
    if known := match(_SHELLS, _without_ours(failed.stderr) + "\n" + _without_ours(failed.noise)):
        return UnreachableError(what, known.why + it_said(said), known.next_step)
    if failed.exit_code is None:
        return _silent(failed, what, said)
    return UnreachableError(what, *_ended(failed.exit_code, said))


def ended(exit_code: int) -> str:
    """How a program of ours ended, by what it left as its exit code."""
    killed = f"was killed (signal {-exit_code})"
    return killed if exit_code < 0 else f"ended by itself (exit {exit_code})"


def _ended(exit_code: int, said: str) -> tuple[str, str]:
    """The login was over before anything of ours spoke: (why, next step)."""
    if exit_code < 0:
        why = f"its client here {ended(exit_code)} before an answer came"
        return why + it_said(said), "Look who ended it (out of memory here?), and try again."
    if exit_code in (126, 127):
        why = f"the shell there cannot start what it was asked to (exit {exit_code})"
        return why + it_said(said), "Look what PATH and /bin/sh are there."
    if said:
        why = (
            "a session was opened, but what ran was not what was asked: it seems that this key or user"
            f" runs a fixed command there (exit {exit_code}); it said: {said}"
        )
        return why, "It was tried once only. Use another key or user."
    why = (
        f"the login ended with exit {exit_code} and said nothing:"
        " a fixed command, or a login script that ends it"
    )
    return why, "It was tried once only. Look into its login scripts."


_OURS = {
    "output": Reason(
        "",
        "the login sends standard output away (`exec >` in a login script?), so no answer can come back",
        "Look into the login scripts of that user (.bashrc, .profile, ~/.ssh/rc).",
    ),
    "terminal": Reason(
        "",
        "the login runs commands in a terminal of its own (a session recorder?), which changes what passes",
        "Use a user or a way in that is not recorded so, or ask for one.",
    ),
    "input": Reason(
        "",
        "something at the login read our input (`read` in .bashrc?): what arrived was not what was sent",
        "Look into the login scripts of that user (.bashrc, .profile, ~/.ssh/rc).",
    ),
    "flood": Reason(
        "",
        "the login prints without end: more than 4 MB came before a first answer",
        "Look into the login scripts of that user.",
    ),
}


def _lost(failed: Failed) -> UnreachableError:
    """It had been open."""
    if failed.exit_code is None:
        why = "nothing came from it any more, though it was asked"
    elif failed.exit_code in _KILLED:
        why = "our process there was killed (out of memory there?)"
    else:
        why = f"the session {ended(failed.exit_code)}"
    why += it_said(quoted(failed.stderr))
    return UnreachableError(f"lost {failed.place}", why, "What had come is kept. Try again.")


def _silent(failed: Failed, what: str, said: str) -> UnreachableError:
    """It was still waited for when time ran out."""
    wait = f"within {failed.waited_s:.0f} s"
    if failed.noise and not failed.noise.strip(b"\r\n"):
        why = f"what is sent comes back, and nothing else {wait}: it seems that this key runs a fixed command"
        return UnreachableError(what, why, "It was tried once only. Use another key or user.")
    why = f"the session is open, and no answer came {wait}{it_said(said)}: a login script that waits, or reads our input?"
    return UnreachableError(what, why, "Look into the login scripts of that user, or wait longer.")


def match(reasons: tuple[Reason, ...], words: str) -> Reason | None:
    """The first reason that the words fit."""
    return next((r for r in reasons if re.search(r.pattern, words, re.MULTILINE)), None)


def text(data: bytes) -> str:
    """Bytes as text, each line end a plain one; what is no UTF-8 as escapes."""
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")


def it_said(said: str, who: str = "it") -> str:
    """The quotation as the end of a sentence; nothing where nothing was said."""
    return f"; {who} said: {said}" if said else ""


def quoted(data: bytes) -> str:
    """The last lines of it on one line: harmless, short, without our own text."""
    return harmless(_without_ours(data).replace("\n", " / "))


def _without_ours(data: bytes) -> str:
    """The last lines of it, less what repeats our own text."""
    lines = [_OUR_TEXT.sub("…", line).strip() for line in text(data).split("\n")]
    return "\n".join([line for line in lines if line][-_LINES_QUOTED:])


def harmless(words: str) -> str:
    """Without the escapes of terminals; other characters that do not print as escapes; cut."""
    plain = _ESCAPES.sub("", words)
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in plain
    )
    return shown if len(shown) <= _MOST_QUOTED else shown[: _MOST_QUOTED - 1] + "…"
