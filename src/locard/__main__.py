"""Start of the program: `locard`, and `python -m locard`, which is the same."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run one command with modules from where they were installed."""
    _leave_paths_of_the_environment()
    from locard.cli.main import main as run  # noqa: PLC0415 - after the path is clean

    return run()


def _leave_paths_of_the_environment() -> None:
    """Import nothing from the current folder or PYTHONPATH, but locard where it lies there itself.

    A `json.py` in the folder of a service must not become a part of what looks at the service.
    """
    foreign = {os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # noqa: PTH100 - pathlib costs
    foreign.add(os.path.abspath(os.curdir))  # noqa: PTH100 - as above
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - as above
    kept = [path for path in sys.path if path and os.path.abspath(path) not in foreign - {own}]  # noqa: PTH100 - as above
    sys.path[:] = kept


if __name__ == "__main__":
    raise SystemExit(main())
