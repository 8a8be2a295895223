"""Who in a CPython process hears of what is put in: audit hooks and profilers written in C; read from outside.

Stands behind `far/python_objects.py` in one namespace; standard library only, 3.6 or later. The offsets are those of
x86-64 builds, by offsetof() in CPython's own headers; what lies there is believed only where it is what it should be.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_layout import Layout
    from locard.far.python_objects import Objects
    from locard.far.symbols import Symbols

# PyInterpreterState.audit_hooks, _PyRuntimeState's list of C hooks, PyThreadState.c_profilefunc (its object 16 further).
LISTENERS = {
    (3, 8): (2704, 1456, 56),
    (3, 9): (3536, 648, 56),
    (3, 10): (3504, 648, 56),
    (3, 11): (3552, 656, 64),
    (3, 12): (267208, 3064, 64),
    (3, 13): (10808, 10424, 80),
    (3, 14): (10912, 10640, 80),
    (3, 15): (10888, 10760, 104),
}
OBJECT_AFTER = 16


def has_audit_hooks(
    objects: "Objects", layout: "Layout", symbols: "Symbols", interpreter: int
) -> bool:
    """Whether something is told of each compile, exec and more (sys.addaudithook, PySys_AddAuditHook)."""
    if layout.version not in LISTENERS:
        return False
    of_interpreter, of_runtime, _ = LISTENERS[layout.version]
    memory = objects.memory
    try:
        hooks = memory.number(interpreter + of_interpreter)
        if hooks and objects.type_name(objects.type_of(hooks)) == "list":
            return bool(objects.sequence(hooks, "list"))
    except (OSError, ValueError, struct.error):
        pass
    try:
        first = memory.number(layout.runtime + of_runtime)
        code = symbols.mapping(memory.number(first + 8)) if first else None
        return code is not None and "x" in code.permissions
    except (OSError, ValueError, struct.error):
        return False


def has_c_profiler(memory: "Any", layout: "Layout", thread: int) -> bool:
    """Whether a profiler that is no object of Python's looks at a thread state (PyEval_SetProfile)."""
    if layout.version not in LISTENERS:
        return False
    at = thread + LISTENERS[layout.version][2]
    try:
        return bool(memory.number(at)) and not memory.number(at + OBJECT_AFTER)
    except (OSError, ValueError, struct.error):
        return False
