"""A checklist of many hosts at once: how long, and how much memory on the operator's side.

    bench/fleet.py [HOSTS]     (200)

The hosts are this machine: an `ssh` that runs the words for the login shell right here (tests/shell_hosts.py),
so the sessions, the programs over there and the operator all share these cores; ssh's own key exchange is left
out. One host in fifty is down. The whole command as typed, from a fresh process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from shell_hosts import make_ssh

DOWN_EACH = 50


def main(hosts: int) -> None:
    """Run it, check the answer, print a section."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "hosts"
        down = {n for n in range(hosts) if n % DOWN_EACH == DOWN_EACH - 1}
        names.write_text("".join(f"{'down' if n in down else 'web'}-{n}\n" for n in range(hosts)))
        env = {**os.environ, "LOCARD_SSH": str(make_ssh(Path(folder))), "LOCARD_STATE": folder}
        argv = [sys.executable, "-m", "locard", "host", "--hosts", str(names), "-q", "-o", "json"]
        began = time.monotonic()
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False)
        took = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    reached = sum(m["reached"] for m in found["members"])
    assert reached == hosts - len(down), (reached, hosts)
    assert done.returncode in {1, 4} if down else {0, 1}
    cpu = used.ru_utime + used.ru_stime
    print(
        f"## Fleet\n\n`bench/fleet.py {hosts}`: `locard host --hosts FILE -o json`, {hosts} hosts of which"
        f" {len(down)} are down; stubs for ssh, and the hosts share the operator's cores.\n\n"
        f"| hosts | reached | wall | CPU of all sides | most memory of one process |\n|---|---|---|---|---|\n"
        f"| {hosts} | {reached} | {took:.1f} s | {cpu:.1f} s | {used.ru_maxrss / 1024:.0f} MB |"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
