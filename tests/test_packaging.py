"""The package as users get it: from the source distribution, with and without a compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("scikit_build_core", reason="the build back end is not installed")
ROOT = Path(__file__).parents[1]
LOG = '{"time":1763812800,"status":200}\nnot json\n'
# Run from the installed files alone, not from the checkout.
RUN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
    "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in type(f).__module__]\n"
    "import locard\n"
    "assert locard.__file__.startswith(sys.path[0]), locard.__file__\n"
    "from locard.cli.main import main\n"
    "sys.exit(main())\n"
)


def run(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=170, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    out = tmp_path_factory.mktemp("sdist")
    code = f"import scikit_build_core.build as b; print(b.build_sdist({str(out)!r}))"
    run(sys.executable, "-c", code, cwd=ROOT)
    (path,) = out.glob("*.tar.gz")
    return path


@pytest.fixture
def checkout(sdist, tmp_path):
    with tarfile.open(sdist) as tar:
        tar.extractall(tmp_path, filter="data")
    (path,) = tmp_path.glob("locard-*")
    return path


def build(checkout, out, *settings, **environment):
    run(
        sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
        "--no-index", "-w", str(out), *settings, ".",
        cwd=checkout, env={**os.environ, **environment},
    )  # fmt: skip
    (wheel,) = out.glob("*.whl")
    return wheel


def install(wheel, target):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return [Path(n) for n in archive.namelist()]


def locard(target, *words, **options):
    return run(sys.executable, "-c", RUN, str(target), *words, **options)


def test_the_sdist_holds_what_a_build_needs_and_no_leftovers(sdist):
    with tarfile.open(sdist) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for needed in (
        "CMakeLists.txt",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "native/scanner.cpp",
        "native/third_party/simdjson/simdjson.h",
        "native/third_party/simdjson/LICENSE-MIT",
        "src/locard/_native.pyi",
        "src/locard/py.typed",
    ):
        assert needed in names
    parts = {part for name in names for part in Path(name).parts}
    assert not parts & {"build", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"}
    built = [n for n in names if n.endswith((".so", ".pyc", ".o", ".a"))]
    assert not [n for n in built if "/kernel/programs/objects/" not in n]
    assert "src/locard/kernel/programs/objects/x86_64/opens.o" in built


def test_without_a_compiler_the_pure_parts_install_and_read_logs(checkout, tmp_path):
    # A module from an earlier build must not slip into a wheel that says it has none.
    (checkout / "src/locard/_native.cpython-311-x86_64-linux-gnu.so").write_bytes(b"stale")
    wheel = build(checkout, tmp_path / "out", CC="/nonexistent/cc", CXX="/nonexistent/c++")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = install(wheel, tmp_path / "site")
    assert not [n for n in names if n.suffix == ".so"]
    (tmp_path / "log").write_text(LOG)
    shown = locard(tmp_path / "site", "logs", str(tmp_path / "log"))
    assert "1 record, read by duckdb" in shown


@pytest.mark.skipif(
    not (shutil.which("c++") and shutil.which("cmake")), reason="no C++ compiler or no cmake"
)
def test_with_a_compiler_the_wheel_has_the_native_module(checkout, tmp_path):
    # Without optimisation: it is the packaging that is tested here, and it builds twice as fast.
    wheel = build(checkout, tmp_path / "out", "-Ccmake.build-type=Debug")
    names = install(wheel, tmp_path / "site")
    assert [n for n in names if n.suffix == ".so" and n.parent == Path("locard")]
    assert Path("locard/py.typed") in names
    assert Path("locard/_native.pyi") in names
    tops = {n.parts[0] for n in names}
    assert tops == {"locard", next(t for t in tops if t.endswith(".dist-info"))}
    parts = {part for n in names if n.parts[0] == "locard" for part in n.parts}
    assert not parts & {"tests", "native", "bench", "third_party", "__pycache__", "conftest.py"}
    (tmp_path / "log").write_text(LOG)
    shown = locard(tmp_path / "site", "logs", str(tmp_path / "log"))
    assert "1 record, read by native" in shown
