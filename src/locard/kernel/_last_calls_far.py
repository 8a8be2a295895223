"""Reads the rings of the flight recorder when the look is over, beside the target. Settings: `keep`.

{"last": [tid, tgid, began_ns, took_ns, number, [arguments], result, [inode, device, generation], text, address]}
"""

import ctypes
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.observe import Observation, address_of, emit
    from locard.far.processes import family, threads_of

UNIX, IPV4, IPV6 = 1, 2, 10  # address families
MOST_BYTES = 32 << 20
MOST_THREADS = 512
LEAST_THREADS = 32
MOST_CALLS = 20000  # that are printed


def make_room(observation: "Observation") -> None:
    """As many rings as the target may need, within what it may cost."""
    keep = int(observation.settings["keep"])
    obj = observation.obj
    width = obj.types.width(obj.types.pointed("rings_row"))
    threads = sum(len(threads_of(pid)) for pid in family(observation.pids))
    most = max(1, MOST_BYTES // (keep * width))
    rings = max(1, min(most, MOST_THREADS, max(LEAST_THREADS, 2 * threads)))
    obj.set("keep", keep)
    obj.set("most_threads", rings)
    obj.resize("rings", rings * keep)
    SIZES[:] = [rings * keep, width]


def address_in(raw: bytes) -> str:
    """The words of a socket address."""
    family_of = struct.unpack_from("=H", raw)[0]
    if family_of == IPV4:
        return address_of(family_of, raw[4:8], struct.unpack_from(">H", raw, 2)[0])
    if family_of == IPV6:
        return address_of(family_of, raw[8:24], struct.unpack_from(">H", raw, 2)[0])
    if family_of == UNIX:
        name = raw[2:32]
        return "unix " + name.lstrip(b"\0").split(b"\0")[0].decode("utf-8", "backslashreplace")
    return ""


def tell_calls(observation: "Observation") -> None:
    """The newest of each thread, by thread and time."""
    obj = observation.obj
    entries, width = SIZES
    fd = obj.check("map rings", obj.c.far_map(obj.handle, b"rings"))
    room = ctypes.create_string_buffer(width)
    of = obj.types.pointed("rings_row")
    found = {}  # type: dict[int, list[bytes]]
    offset = {m[1]: at for at, m in obj.types.members(of)}
    for number in range(entries):
        key = ctypes.c_uint32(number)
        if obj.c.far_get(fd, ctypes.byref(key), room) < 0:
            continue
        raw = room.raw
        began = struct.unpack_from("=Q", raw, offset["began_ns"])[0]
        if began:
            found.setdefault(struct.unpack_from("=I", raw, offset["tid"])[0], []).append(raw)
    share = max(1, MOST_CALLS // max(1, len(found)))
    takes = observation.settings.get("set", {}).get("takes", {})
    left_out = 0
    for tid in sorted(found):
        rows = sorted(found[tid], key=lambda r: struct.unpack_from("=Q", r, offset["began_ns"])[0])
        left_out += max(0, len(rows) - share)
        for raw in rows[-share:]:
            tell_call(obj.types.read(of, raw), takes)
    if left_out:
        emit({"unseen": "%d older calls are not shown: there are many threads" % left_out})


def tell_call(row: "dict[str, Any]", takes: "dict[str, int]") -> None:
    """One call."""
    raw = row["text"]
    kind = takes.get(str(row["number"]), 0)
    address = address_in(raw) if kind == 4 else ""
    text = "" if kind == 4 else raw.split(b"\0")[0].decode("utf-8", "backslashreplace")
    if len(raw.split(b"\0")[0]) == len(raw) - 1:
        text += "…"
    key = row["file"]
    emit({"last": [row["tid"], row["tgid"], row["began_ns"], row["took_ns"], row["number"], row["arguments"],
                   row["result"], [key["file"], key["device"], key["generation"]], text, address]})  # fmt: skip


SIZES = [0, 0]
SETUP, EXTRA = make_room, tell_calls
