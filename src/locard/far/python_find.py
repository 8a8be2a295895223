"""Names of a CPython that match a pattern, and what watching each would do; from outside, nothing is put in.

Stands behind `far/python_names.py` in one namespace. `find PATTERN PID…`: `module:name`, with * and ? in both, or a word
that is somewhere in the name. Prints a JSON a line: {"pid", "name", "kind", "file", "line", "said", "watch"}, at the end
{"pid", "looked", "cut"}; {"pid", "missed": why} where a process cannot be read.
"""

import fnmatch
import json
import re
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from locard.far.memory import Memory
    from locard.far.python_access import refused
    from locard.far.python_functions import BUILTINS, TP_DICT, UnknownError, counting_words
    from locard.far.python_layout import Layout, UnreadableError
    from locard.far.python_names import Names
    from locard.far.python_objects import MODULE_DICT, Objects
    from locard.far.symbols import Symbols

MOST_NAMES = 2000
INSTALLED = ("/lib/python", "/lib64/python", "/lib/pypy", "site-packages/", "dist-packages/")
MOST_FIND_S = 20.0
ANYWHERE = (
    "module",
    "type",
    "str",
    "int",
    "float",
    "dict",
    "list",
    "tuple",
    "bool",
    "NoneType",
    "set",
    "frozenset",
    "bytes",
)


class Find:
    """The names of one process that match."""

    def __init__(self, pid: int, pattern: str) -> None:
        """Reads the process; raises UnreadableError or OSError."""
        memory = Memory(pid)
        self.symbols = Symbols(pid)
        layout = Layout(memory, self.symbols)
        if layout.free_threaded:
            raise UnreadableError("a free-threaded CPython: its objects are laid out otherwise")
        at = memory.number(layout.runtime + layout.at["runtime.interpreters_head"])
        while True:
            after = memory.number(at + layout.at["interpreter.next"])
            if not after:
                break
            at = after
        self.pid, self.names = pid, Names(Objects(memory, layout), at)
        module, colon, name = pattern.partition(":")
        self.module = matcher(module if colon else "*")
        self.ending = matcher("*." + module if colon else "*")
        self.alone = (
            pattern == "*"
        )  # nothing was asked for: the application's own, not the library's
        self.left = 0  # modules that were left out for that
        self.wanted = (
            matcher(name or "*")
            if colon
            else matcher(pattern if set("*?[") & set(pattern) else "*" + pattern + "*")
        )
        self.whole = not colon
        self.looked, self.told, self.end = 0, 0, time.monotonic() + MOST_FIND_S

    def run(self) -> bool:
        """Print what matches; whether it was cut."""
        for module in sorted(self.names.modules):
            if self.module(module) is None and self.ending(module) is None:
                continue
            if self.alone and not self.is_application(module):
                self.left += 1
                continue
            for name, address in self.entries(module):
                if self.told >= MOST_NAMES or time.monotonic() > self.end:
                    return True
                self.looked += 1
                if self.wanted(name) is not None or (
                    self.whole
                    and (self.wanted(module + ":" + name) or self.wanted(module + "." + name))
                ):
                    self.tell(module, name, address)
        return False

    def entries(self, module: str) -> "Iterator[tuple[str, int]]":
        """Names of a module and of its own classes, with what they mean."""
        names = self.names
        try:
            if names.kind(names.modules[module]) != "module":
                return
            space = names.memory.number(names.modules[module] + MODULE_DICT)
            every = names.objects.items(space)
        except (OSError, ValueError, struct.error):
            return
        for key, value in every:
            try:
                name = names.objects.name(key)
                if name.startswith("__") and name.endswith("__"):
                    continue
                yield name, value
                if names.is_class(value) and self.names.is_own(value, module):
                    for inner, member in names.objects.items(names.memory.number(value + TP_DICT)):
                        word = names.objects.name(inner)
                        if word not in ("__dict__", "__weakref__", "__doc__", "__module__"):
                            yield name + "." + word, member
            except (OSError, ValueError, struct.error):
                continue

    def is_application(self, module: str) -> bool:
        """Whether a module was read from a file that is neither the standard library's nor an installed package's."""
        names = self.names
        try:
            if names.kind(names.modules[module]) != "module":
                return False
            space = names.memory.number(names.modules[module] + MODULE_DICT)
            where = names.objects.lookup(space, "__file__")
            file = names.objects.text(where) if where else ""
        except (OSError, ValueError, struct.error):
            return False
        return module == "__main__" or bool(file and not any(part in file for part in INSTALLED))

    def tell(self, module: str, name: str, address: int) -> None:
        """Print one name, if it can be called or is a property."""
        names = self.names
        try:
            kind = names.kind(address)
            if kind in ANYWHERE and not names.is_class(address):
                return
            row = {
                "pid": self.pid,
                "name": module + ":" + name,
                "kind": kind,
                "file": "",
                "line": 0,
                "said": [],
                "watch": "",
            }  # type: dict[str, Any]
            try:
                found = names.behind(
                    address, [("module", module)], name.rpartition(".")[2], [], None
                )[0]
                about = names.about(found.address)
                row.update(file=about["file"], line=about["line"], said=found.said)
                row["kind"] = (
                    about["kind"]
                    if kind == "function"
                    else "%s: %s" % (kind_words(kind, names, address), about["kind"])
                )
                if about["module"] != module and not found.said:
                    row["said"] = ["it is %s:%s" % (about["module"], about["name"])]
            except UnknownError as error:
                if kind not in BUILTINS and not names.is_class(address):
                    return
                row["kind"] = kind_words(kind, names, address)
                row["watch"] = "cannot be watched: " + error.why
                counting = counting_words(self.symbols, error.code)
                if counting:
                    row["watch"] = "written in C: " + counting.partition(";")[0]
            sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
            self.told += 1
            if kind == "function" and "registry" in names.own(address):
                self.tell_implementations(module, name, address)
        except (OSError, ValueError, struct.error, KeyError):
            return

    def tell_implementations(self, module: str, name: str, address: int) -> None:
        """Print those of a single-dispatch function."""
        for key in self.names.implementations(address):
            found = self.names.implementation(address, [("module", module)], key)[0]
            about = self.names.about(found.address)
            print(json.dumps({
                "pid": self.pid, "name": "%s:%s[%s]" % (module, name, key), "kind": about["kind"], "file": about["file"],
                "line": about["line"], "said": found.said, "watch": "",
            }))  # fmt: skip
            self.told += 1


def kind_words(kind: str, names: "Names", address: int) -> str:
    """A type as people call it."""
    if names.is_class(address):
        return "class"
    return (
        kind.rpartition(".")[2]
        .replace("_lru_cache_wrapper", "lru_cache")
        .replace("builtin_function_or_method", "builtin")
    )


def matcher(pattern: str) -> "Any":
    """What matches a pattern with * and ?; `*` matches dots too."""
    return re.compile(fnmatch.translate(pattern)).match


def find_main(words: "list[str]") -> int:
    """`find PATTERN PID…`."""
    for pid in map(int, words[2:]):
        try:
            find = Find(pid, words[1])
            cut = find.run()
            print(json.dumps({"pid": pid, "looked": find.looked, "cut": cut, "left": find.left}))
        except UnreadableError as error:
            print(json.dumps({"pid": pid, "missed": str(error)}))
        except PermissionError as error:
            print(json.dumps({"pid": pid, "missed": "not permitted: %s" % refused(pid, error)}))
        except (OSError, ValueError, struct.error) as error:
            print(json.dumps({"pid": pid, "missed": "it could not be read: %s" % error}))
    return 0


if __name__ == "__main__":
    sys.exit(find_main(sys.argv[1:]))
