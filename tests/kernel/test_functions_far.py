"""Functions by ltrace's filter: what a rule takes, which returns are left alone, what kind a site is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compiled_targets import compiled, running

from locard.far import symbols, unwind
from locard.kernel import _functions_far as functions


@pytest.fixture(autouse=True)
def namespace(monkeypatch):
    """The parts run in one namespace at the place."""
    for name in ("FUNC", "IFUNC", "Elf", "Mapping", "Symbols"):
        monkeypatch.setattr(functions, name, getattr(symbols, name), raising=False)
    for name in ("SP", "X86_64", "Broken", "Tables"):
        monkeypatch.setattr(functions, name, getattr(unwind, name), raising=False)


@pytest.mark.parametrize(
    ("expression", "name", "file", "taken"),
    [
        ("malloc+free", "free", "/lib/libc.so.6", True),
        ("malloc+free", "calloc", "/lib/libc.so.6", False),
        ("SSL_*@libssl*", "SSL_read", "/usr/lib/libssl.so.3", True),
        ("SSL_*@libssl*", "SSL_read", "/usr/bin/node", False),
        ("SSL_*@MAIN", "SSL_read", "/usr/bin/node", True),
        ("@MAIN", "anything", "/usr/bin/node", True),
        ("@MAIN", "anything", "/lib/libc.so.6", False),
        ("*-str*", "strlen", "/lib/libc.so.6", False),
        ("*-str*", "malloc", "/lib/libc.so.6", True),
        ("-strlen", "strcpy", "/lib/libc.so.6", True),
        ("-strlen", "strlen", "/lib/libc.so.6", False),
        ("str*-strlen+strlen@libc*", "strlen", "/lib/libc.so.6", True),
        ("[mc]alloc", "calloc", "/lib/libc.so.6", True),
        ("[!m]alloc", "malloc", "/lib/libc.so.6", False),
        ("m?lloc@/opt/*", "malloc", "/opt/lib/je.so", True),
        ("m?lloc@/opt/*", "malloc", "/lib/libc.so.6", False),
        ("/^(m|c)alloc$/", "malloc", "/lib/libc.so.6", True),
        ("memcpy", "memcpy_chk", "/lib/libc.so.6", False),
    ],
)
def test_what_an_expression_takes(expression, name, file, taken):
    main = file == "/usr/bin/node"
    about = [r for r in functions.rules_of(expression) if r.in_file(file, main)]
    assert functions.takes(about, name) is taken


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["malloc"], ""),
        (["_ZdlPvm"], ""),
        (["_ZnwmRKSt9nothrow_t"], ""),
        (["_Znwm"], "exceptions"),
        (["_ZN3app5serveEv"], "exceptions"),
        (["_setjmp"], "twice"),
        (["__sigsetjmp"], "twice"),
        (["vfork", "__vfork"], "twice"),
        (["swapcontext"], "twice"),
        (["pthread_exit"], "twice"),
        (["_Unwind_RaiseException"], "twice"),
        (["SSL_read"], ""),
    ],
)
def test_returns_that_would_end_the_target_are_left_alone(names, why):
    file = functions.File.__new__(functions.File)
    file.go = False
    assert why in file.no_return(names)
    assert bool(file.no_return(names)) is bool(why)
    file.go = True
    assert "Go" in file.no_return(names)


CODE = r"""
__attribute__((noinline)) int first(int n) { __asm__ volatile(""); return n + 1; }
int second(int n) __attribute__((alias("first")));
__asm__(".globl pushes\n.type pushes,@function\npushes: push %rbp\npop %rbp\nret\n.size pushes,.-pushes\n"
        ".globl lands\n.type lands,@function\nlands: endbr64\nret\n.size lands,.-lands\n"
        ".globl steps\n.type steps,@function\nsteps: sub $8,%rsp\nadd $8,%rsp\nret\n.size steps,.-steps\n");
int main(void) { ready(); return first(1) + second(2); }
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its sites are x86-64's")
def test_aliases_are_one_function_and_sites_are_told_apart(tmp_path):
    program = compiled(tmp_path, CODE, "-O1", "-fcf-protection=none")
    with running(program) as target:
        found = functions.Functions("first+second+pushes+lands+steps+nowhere+strchr@libc*")
        ((pid, file),) = found.look([target.pid])
        assert pid == target.pid
        assert file.main
        by_name = {f.name: f for f in file.functions}
        assert set(by_name) == {"first", "pushes", "lands", "steps"}
        assert by_name["first"].names == ["first", "second"]
        sites = {name: by_name[name].site for name in ("pushes", "lands", "steps")}
        assert sites == {
            "pushes": functions.EMULATED,
            "lands": functions.ENDBR,
            "steps": functions.STEPPED,
        }
        place = found.lies(pid, by_name["pushes"])
        with Path(f"/proc/{pid}/mem").open("rb") as memory:
            memory.seek(place[0])
            assert memory.read(3) == b"\x55\x5d\xc3"
        assert not found.look([target.pid]), "what is known is not new"
        libc = next(f for f in found.files.values() if "libc.so" in f.path)
        assert "IFUNC" in libc.skipped["strchr"]


UNNAMED = r"""
__attribute__((noinline)) static int hidden(int n) { __asm__ volatile(""); return n + 1; }
int main(void) { printf("%lx\n", (unsigned long)hidden); ready(); return hidden(1); }
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its unwind tables are read on x86-64")
@pytest.mark.parametrize("flags", [(), ("-s",)], ids=["with names", "stripped"])
def test_a_function_is_named_by_where_it_begins_and_nothing_inside_of_one_is(tmp_path, flags):
    program = compiled(tmp_path, UNNAMED, "-O1", "-no-pie", *flags)
    with running(program) as target:
        at = int(target.line, 16)
        found = functions.Functions(f"{at:#x}@{program.name}")
        ((_, file),) = found.look([target.pid])
        assert [f.name for f in file.functions] == [f"{at:#x}" if flags else "hidden"]
        assert file.functions[0].returns
        inside = functions.Functions(f"{at + 1:#x}@{program.name}")
        assert not inside.look([target.pid])
        (file,) = [f for f in inside.files.values() if f.main]
        assert file.skipped == {f"{at + 1:#x}": "no function begins there"}
