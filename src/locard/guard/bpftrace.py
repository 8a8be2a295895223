"""What a bpftrace program that somebody brings may not do: act, write, read files, harm the target.

It is read for words, comments and strings included: what looks like one is refused as well, and nothing
hides. bpftrace itself refuses `system`, `signal` and `override` without --unsafe, which is never passed.
"""

from __future__ import annotations

import re

# What is refused, as a pattern, and why.
REFUSED: tuple[tuple[str, str], ...] = (
    (r"\bsystem\b", "system() starts programs"),
    (r"\bsignal\b", "signal() sends signals"),
    (r"\boverride\b", "override() changes what kernel functions return"),
    (r"\bskb_?output\b", "skboutput() writes files"),
    (r"\bdebugf\b", "debugf() writes to the kernel's own trace"),
    (r"\bcat\b", "cat() copies files into the record; read them by locard shell"),
    (r"\bimport\b", "import reads files"),
    (r"(?<!\$)#", "# begins an instruction for the C preprocessor, which reads files"),
    (r"\b(?:uretprobe|ur)\s*:", "a uretprobe can end a target in Go or C++; ask: locard libcalls"),
    (
        r"\b(?:usdt|U)\s*:",
        "a usdt probe lies inside functions, where some kernels corrupt the stack",
    ),
    (
        r"\bu(?:probe)?\s*:\S*?[+:](?:0x[0-9a-fA-F]+|[0-9]+)(?=[\s,{/]|$)",
        "a uprobe inside a function can corrupt the target's stack on some kernels",
    ),
    (r"\b(?:async)?watchpoint\s*:|\ba?w\s*:", "a watchpoint takes the few registers of debuggers"),
)
_ANY = "|".join(f"(?:{pattern})" for pattern, _ in REFUSED)
# A placeholder's pattern: the gate takes no other program.
READS_ONLY = rf"(?s:(?!-)(?!.*(?:{_ANY}))[^\0]+)"


def problem(program: str) -> str:
    """Why a program is refused, in words; empty where it only reads."""
    for pattern, why in REFUSED:
        if re.search(pattern, program):
            return why
    return "" if re.fullmatch(READS_ONLY, program) else "it is no program"


def uprobes(program: str) -> bool:
    """Whether it attaches to functions of processes."""
    return bool(re.search(r"\bu(?:probe)?\s*:", program))


def of_target(program: str) -> bool:
    """Whether it asks for the target by its pid, `$1`."""
    return bool(re.search(r"\$[1-9#]", program))
