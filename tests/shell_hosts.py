"""Hosts that are this machine: an `ssh` that runs the words for the login shell right here.

Whole sessions (bootstrap, server, frames) without sshd: for fleets and faces, where the way in is not
what is tested (tests/transport has real ones).
"""

from __future__ import annotations

SSH = """#!/bin/sh
case "$1" in -V) echo "OpenSSH_9.2p1" >&2; exit 0;; esac
for word; do last=$word; previous=$host; host=$word; done
case "$previous" in
  down*) echo "ssh: connect to host $previous port 22: Connection refused" >&2; exit 255;;
  slow*) sleep 600;;
esac
echo "Authenticated to $previous ([127.0.0.1]:22) using \\"publickey\\"." >&2
exec /bin/sh -c "$last"
"""


def make_ssh(folder):
    """The path of such an ssh, for LOCARD_SSH."""
    path = folder / "ssh-here"
    path.write_text(SSH)
    path.chmod(0o755)
    return path
