"""Prints the state of every thread of some processes over a few rounds; `_thread_reader.py` stands before it.

Arguments: rounds, seconds between rounds, pids. It prints one JSON object per line:

    {"round", "pid", "tid", "comm", "state", "syscall", "wchan", ...}  a thread at one moment
    {"condition": pid, "name", "state", "threads", "by"}               stopped, traced, dying
    {"io": pid, "round", "at", "rchar", "syscr", ...}                  the counters of a process
    {"missed": "pid 7: ..."}                                           what could not be read
    {"end": rounds}                                                    last line of a whole run
"""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.kernel._thread_reader import MAX_SECONDS, Reader, emit  # noqa: TC004 - it stands before


def main(argv: "list[str]") -> int:
    """Read the rounds that were asked for."""
    rounds, pause, pids = int(argv[0]), float(argv[1]), [int(a) for a in argv[2:]]
    began = time.monotonic()
    reader = Reader()
    done = 0
    for at_round in range(rounds):
        if at_round:
            time.sleep(pause)
        if time.monotonic() - began > MAX_SECONDS:
            break
        reader.read_round(at_round, pids)
        sys.stdout.flush()
        done += 1
    emit({"end": done})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
