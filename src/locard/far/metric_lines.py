"""Series as lines: what every reader of metrics beside the target prints; standard library only, Python 3.6.

A line is a JSON object, a tab, and base64 of zlib of little-endian doubles. The object has `labels`, and
either `t0` and `step` (milliseconds, evenly spaced) or a second block of 64-bit times behind another tab.
Lines without a tab are words about the reading: `asked`, `source`, `query`, `problem`, …
"""

import array
import base64
import itertools
import json
import operator
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

UNEVEN_S, UNEVEN = 0.6, 0.3  # by which a time may miss an even one; of the step


def say(**words: "Any") -> None:
    """One line of words."""
    sys.stdout.write(json.dumps(words, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def packed(kind: str, values: "Iterable[Any]") -> str:
    """A block of numbers: `d` doubles, `q` 64-bit integers."""
    block = array.array(kind, values)
    if sys.byteorder == "big":
        block.byteswap()
    return base64.b64encode(zlib.compress(block.tobytes(), 1)).decode()


def tell_series(
    labels: "dict[str, str]",
    times: "list[float]",
    values: "Iterable[float]",
    slack_s: float = UNEVEN_S,
) -> None:
    """One series; `times` (Unix seconds) that lie within `slack_s` of even ones are told as even."""
    head = {"labels": labels, "t0": round(times[0] * 1000) if times else 0}  # type: dict[str, Any]
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    # Millions of samples go through here: nothing is done for each of them in Python.
    even = len(times) < 2
    if step > 0:
        away = list(map(operator.sub, times, itertools.count(times[0], step)))
        room = min(slack_s, UNEVEN * step)
        even = max(away) <= room and min(away) >= -room
    if even:
        head["step"] = round(step * 1000, 3)
    line = json.dumps(head, separators=(",", ":")) + "\t" + packed("d", values)
    if not even:
        line += "\t" + packed("q", [round(at * 1000) for at in times])
    sys.stdout.write(line + "\n")
