"""Whether probes inside functions do harm on this kernel, tried in this process; prints one line of JSON.

Stands behind `far/ebpf.py` in one namespace. `entry`: the same site at a function's entry, where nothing can
be spoilt: by it one sees that the trial works at all.

  {"spoils": why (empty: such probes do no harm), "inside": {...} | errno, "entry": {...} | errno, "kernel": ...}
"""

import ctypes
import errno
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import RedZone, Refused, inside_spoils, library


def tried(c: "Any", entry: int) -> "dict[str, int] | int":
    """One trial: its counts, or an errno."""
    found = RedZone()
    result = c.far_red_zone(entry, ctypes.byref(found))
    if result < 0:
        return -int(result)
    return {name: getattr(found, name) for name in ("tries", "spoilt", "hits", "after")}


def main() -> int:
    """Exit 0 with a report."""
    try:
        c = library()
    except Refused as refused:
        c, row = None, {"spoils": str(refused), "inside": errno.ENOENT, "entry": errno.ENOENT}
    if c is not None:
        row = {"spoils": inside_spoils(c), "inside": tried(c, 0), "entry": tried(c, 1)}
    row["kernel"], row["machine"] = os.uname().release, os.uname().machine
    sys.stdout.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
