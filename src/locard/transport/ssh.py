"""The way in by ssh: the user's own client and configuration, and why it did not open.

Host patterns, jump hosts, agent, known_hosts and ControlMaster are the user's own. What we set:
never a prompt, never a terminal, nothing forwarded, nothing run here, and a log level at which the
client says its reasons, and when the login was over: what stands before that is the banner's. Nothing is written here: no key joins the agent or known_hosts by us.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from locard.model.errors import LocardError, UnreachableError, UsageError
from locard.model.wording import without_password
from locard.transport import bootstrap, reasons
from locard.transport.reasons import Failed, Reason

if TYPE_CHECKING:
    from locard.model.place import Place

CONNECT_S = 10  # the client's own bound, to the end of the key exchange
_OPTIONS = (
    "BatchMode=yes", "LogLevel=VERBOSE", "StdinNull=no", "SessionType=default",
    "ForkAfterAuthentication=no", "RemoteCommand=none", "RequestTTY=no", "PermitLocalCommand=no",
    "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "Tunnel=no", "UpdateHostKeys=no",
    "AddKeysToAgent=no", "VisualHostKey=no", "ServerAliveInterval=10", "ServerAliveCountMax=3",
)  # fmt: skip
# The first OpenSSH that knows an option: an older one ends on a word that it does not know.
_SINCE = {
    "StdinNull": (8, 7), "SessionType": (8, 7), "ForkAfterAuthentication": (8, 7),
    "RemoteCommand": (7, 6), "AddKeysToAgent": (7, 2), "UpdateHostKeys": (6, 8),
}  # fmt: skip
# What lets a program ask the user something, behind the back of BatchMode.
_ASKING = ("SSH_ASKPASS", "SUDO_ASKPASS", "DISPLAY", "WAYLAND_DISPLAY")
_NAME = re.compile(r"[A-Za-z0-9_\[:][A-Za-z0-9_.:%\[\]-]*")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+@\\$-]*")
_SSH_FAILED = 255
_VERSION_S = 5.0
_LOGGED_IN = re.compile(
    rb"(?m)^Authenticated to \S.{0,300}\r?\n(?:Authenticated using .{0,300}\r?\n)?"
)
_FAREWELL = re.compile(rb"(?m)^(?:Transferred: sent \d|Bytes per second: sent \d).*\r?\n?")


def reach(
    target: str, *, connect_s: int = CONNECT_S, more: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The client's argv up to the words for the shell there. `target`: NAME or USER@NAME.

    Start it in a session of its own (no controlling terminal), with `environment()`.
    """
    name, user = checked(target)
    client = os.environ.get("LOCARD_SSH") or "ssh"
    version = client_version(client)
    options = [o for o in _OPTIONS if version >= _SINCE.get(o.partition("=")[0], (0, 0))]
    login = ("-l", user) if user else ()
    settings = [f"-o{option}" for option in (*options, f"ConnectTimeout={connect_s}")]
    return (client, "-T", *settings, *more, *login, "--", name)


def session_argv(place: Place, nonce: str) -> tuple[str, ...]:
    """What starts a session: the bootstrap is the words for the login shell there."""
    user, _, name = place.name.rpartition("@")
    user, name = user or place.option("user"), place.option("address") or name
    return (*reach(f"{user}@{name}" if user else name, more=_more(place)), bootstrap.words(nonce))


def _more(place: Place) -> tuple[str, ...]:
    """What an inventory says of the connection: its port, and the file of its key."""
    port, key = place.option("port"), place.option("key")
    if port and not port.isdecimal():
        raise UsageError(
            f"{reasons.harmless(port)!r} is no port",
            f"the inventory says so of {place.ref}",
            "Mend ansible_port there.",
        )
    return (*((f"-oPort={port}",) if port else ()), *((f"-oIdentityFile={key}",) if key else ()))


def environment() -> dict[str, str]:
    """The user's own, since proxy commands need it, but for what could ask a question."""
    kept = {name: value for name, value in os.environ.items() if name not in _ASKING}
    return {**kept, "SSH_ASKPASS_REQUIRE": "never"}


def checked(target: str) -> tuple[str, str]:
    """(host name, user) of a target; raises UsageError for what could be read as anything else."""
    user, _, name = target.rpartition("@")
    if not _NAME.fullmatch(name) or (user and not _USER.fullmatch(user)) or target.startswith("@"):
        raise UsageError(
            f"{reasons.harmless(without_password(target))!r} is no host",
            "a host is NAME or USER@NAME, as ssh takes it; no password is ever taken",
            "Write host/NAME or host/USER@NAME.",
        )
    return name, user


@functools.cache
def client_version(client: str) -> tuple[int, int]:
    """The OpenSSH version of the user's client; (0, 0) where it does not say."""
    path = shutil.which(client)
    if path is None:
        raise UnreachableError(
            f"{client} is not installed",
            "hosts are reached by the user's own ssh client",
            "Install openssh-client.",
        )
    found = re.search(rb"OpenSSH[^\d]{0,20}(\d+)\.(\d+)", _said_of_itself(path))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _said_of_itself(path: str) -> bytes:
    """What the client prints with -V; a client that hangs is ended with all that it has started."""
    try:
        client = subprocess.Popen(
            [path, "-V"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(), start_new_session=True,
        )  # fmt: skip
    except OSError:
        return b""
    with client:
        try:
            return client.communicate(timeout=_VERSION_S)[0]
        except subprocess.TimeoutExpired:
            return b""
        finally:
            if client.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(client.pid, signal.SIGKILL)


def after_login(stderr: bytes) -> bytes:
    """Standard error without the banner and the client's own counting: what ran there said it.

    Over a connection that is shared (ControlMaster) the client says nothing, and there is no banner.
    """
    logged_in = _LOGGED_IN.search(stderr)
    return _FAREWELL.sub(b"", stderr[logged_in.end() :] if logged_in else stderr)


_PASSWORD = Reason(
    r"Permission denied \([^)]*(?:password|keyboard-interactive)",
    "it wants a password (or a code), and none is ever asked for (BatchMode)",
    "Add your key there, or load it into the agent: ssh-add",
)
_NO_SESSION = Reason(
    r"[Ss]ession open refused|channel \d+: open failed",
    "logged in, but no session may be opened there (MaxSessions)",
    "End other sessions to it, or ask its owner.",
)
_SHARING = Reason(
    r"unix_listener|ControlPath|ControlSocket|[Cc]ontrol socket|mux_client",
    "the shared connection of your ssh configuration (ControlPath) cannot be used",
    "Mend ControlPath, or end the old connection: ssh -O exit",
)
_LOGGED_IN_REASONS = (
    _NO_SESSION,
    _SHARING,
    Reason(
        r"Connection (?:to \S+ )?(?:closed|reset)|Broken pipe|Timeout, server",
        "it closed the connection after the login",
        "Look into the log of its sshd.",
    ),
)
_BROKE = re.compile(r"UNKNOWN port|kex_exchange_identification|banner exchange: .*UNKNOWN")
# What the client says of its own failure; it stands in its last lines, and its exit is 255.
_CLIENT = (
    Reason(
        r"open failed: connect failed: (?!open failed)",
        "the jump host could not connect to it",
        "Look whether it is up, and whether the jump host may reach it.",
    ),
    Reason(
        r"stdio forwarding failed|administratively prohibited: open failed",
        "the jump host refuses to open the way to it (PermitOpen, AllowTcpForwarding), or cannot reach it",
        "Ask the jump host's owner; nothing was learned of the host behind it.",
    ),
    _PASSWORD,
    Reason(
        r"Permission denied \(",
        "no key of yours is accepted for this user there",
        "Look which keys are offered: ssh-add -l",
    ),
    Reason(
        r"Too many authentication failures",
        "the server gave up after too many keys",
        "Set IdentitiesOnly and IdentityFile for this host in your ssh configuration.",
    ),
    _NO_SESSION,
    _SHARING,
    Reason(
        r"Unable to negotiate",
        "client and server share no algorithm",
        "Set the algorithm for this host in your ssh configuration, if its owner agrees.",
    ),
    Reason(
        r"Could not resolve hostname",
        "its name does not resolve",
        "Look at HostName in your ssh configuration, and at DNS.",
    ),
    Reason(
        r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad|[Cc]an't open user config",
        "your ssh configuration is refused by your ssh client",
        "Mend the line that it names.",
    ),
    Reason(
        r"during banner exchange|banner exchange: .*timed out",
        "it accepted the connection, and said nothing until the time-out{within}",
        "Something listens that does not speak ssh, or it is overloaded.",
    ),
    Reason(
        r"Timeout, server .* not responding|Connection timed out|Operation timed out",
        "no answer until the time-out{within}",
        "It may be down, or a firewall drops what is sent to it.",
    ),
    Reason(
        r"Connection refused",
        "connection refused: nothing listens on that port",
        "Look at Port in your ssh configuration, and whether sshd runs there.",
    ),
    Reason(
        r"No route to host|Network is unreachable|Host is down|Can't assign requested address",
        "the network has no way to it",
        "Look at routes and VPN.",
    ),
    Reason(
        r"(?:closed|reset) by|kex_exchange_identification|Broken pipe|Connection aborted",
        "it closed the connection during the key exchange or the login",
        "Its sshd may be overloaded (MaxStartups), or a rule there refuses you.",
    ),
)


def explain(
    place: str,
    exit_code: int | None,
    stderr: bytes,
    noise: bytes,
    waited_s: float,
    *,
    problem: str = "",
) -> LocardError:
    """Why a session over ssh did not open; `problem` is the handshake's."""
    logged_in = bool(_LOGGED_IN.search(stderr))
    stderr = after_login(stderr)
    failed = Failed(place, exit_code, stderr, noise, waited_s, problem)
    if problem == reasons.LOST and exit_code == _SSH_FAILED:
        return _cut(failed)
    if exit_code != _SSH_FAILED or noise or problem:
        opened = logged_in or exit_code is not None or bool(noise or problem)
        return reasons.explain(failed) if opened else _still_knocking(failed)
    return _client_failed(failed, logged_in=logged_in)


def _client_failed(failed: Failed, *, logged_in: bool) -> LocardError:
    """The client's exit is 255: its own, unless what ran there ended so."""
    lines = [line for line in reasons.text(failed.stderr).split("\n") if line.strip()]
    tail = lines[-4:]
    proxied = "UNKNOWN port" in "\n".join(tail[-2:])
    if proxied:  # the last lines only say that the way in broke
        tail = [line for line in tail if not _BROKE.search(line)] or tail
    what = f"{failed.place} was not reached"
    way = "on the way to it (jump host or proxy command): " if proxied else ""
    if tail and tail[-1].startswith("Host key verification failed"):
        return _host_key(failed.place, what, "\n".join(lines), way)
    possible = _CLIENT if proxied or not logged_in else _LOGGED_IN_REASONS
    windows = ("\n".join(tail[-size:]) for size in (1, 2, len(tail)))  # the last line knows best
    known = next((r for window in windows if (r := reasons.match(possible, window))), None)
    if known is None and logged_in and not proxied:
        return reasons.explain(failed)
    said = reasons.it_said(reasons.quoted("\n".join(tail[-2:]).encode()), "ssh")
    if known is None:
        why = f"{way}its reason is not known to us" if said else "ssh gave no reason (exit 255)"
        return UnreachableError(what, why + said, "Try by hand:", command=_by_hand(failed.place))
    where = "" if "jump host" in known.why else way
    # Its own time-out may be one of a call, at once: then no number of ours fits.
    within = f" ({failed.waited_s:.0f} s)" if failed.waited_s >= 1.0 else ""
    why = where + known.why.format(within=within)
    return UnreachableError(what, why + said, known.next_step)


def _cut(failed: Failed) -> LocardError:
    """The connection ended under a session that had been open."""
    said = reasons.quoted(failed.stderr)
    silent = re.search(r"Timeout, server|not responding|timed out", said)
    why = "the connection went silent" if silent else "the connection was cut"
    return UnreachableError(
        f"lost {failed.place}",
        why + reasons.it_said(said, "ssh"),
        "What had come is kept. Try again.",
    )


def _still_knocking(failed: Failed) -> LocardError:
    said = reasons.it_said(reasons.quoted(failed.stderr), "ssh")
    return UnreachableError(
        f"{failed.place} was not reached",
        f"neither a login nor an answer was seen within {failed.waited_s:.0f} s{said}",
        "It may be slow, or wait for a touch of a security key; try by hand:",
        command=_by_hand(failed.place),
    )


def _host_key(place: str, what: str, whole: str, way: str) -> LocardError:
    named = re.search(r"[Hh]ost key (?:for|is known for) (\S+) ", whole)
    of = f" of {reasons.harmless(named[1])}" if named else ""
    if "IDENTIFICATION HAS CHANGED" in whole or "has changed and you have requested" in whole:
        return UnreachableError(
            what,
            f"{way}HOST KEY CHANGED: the key on record{of} is another one than it shows now;"
            " somebody may stand in between. Nothing was sent",
            "Ask its owner whether the key was changed before you trust it.",
        )
    if re.search(r"revoked|REVOKED", whole):
        return UnreachableError(
            what, f"{way}the host key{of} is marked as revoked", "Do not connect; ask its owner."
        )
    return UnreachableError(
        what,
        f"{way}the host key{of} is not in known_hosts, and none is accepted unseen",
        "Compare the fingerprint with its owner's and say yes to it once:",
        command=_by_hand(place),
    )


def _by_hand(place: str) -> str:
    return f"ssh {shlex.quote(place.removeprefix('host/'))}"
