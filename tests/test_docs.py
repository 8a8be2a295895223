"""The documentation is true: cited tests exist, commands parse, links resolve, examples work."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from locard import catalogue
from locard.model.errors import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_resolve(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{page.name} links to {link}"


def test_every_test_that_the_threat_model_cites_exists():
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    cited = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text))
    assert len(cited) > 20
    missing = [f"{path}::{name}" for path, name in sorted(cited) if name not in defined_in(path)]
    assert not missing


def defined_in(path):
    file = ROOT / path
    if not file.exists():
        return set()
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef)}


def commands_of(text):
    """The words after `locard` of each command line in the shell blocks, and in DEMO=…"""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            for part in line.partition("#")[0].split("|"):
                words = shlex.split(part)
                if words and words[0] == "locard":
                    yield tuple(words[1:])
    for demo in re.findall(r'DEMO="([^"]*)"', text):
        yield ("demo", *demo.split())


COMMANDS = sorted(set(commands_of(README)) | set(commands_of(CONTRIBUTING)))


def test_the_readme_has_five_examples():
    assert len(set(commands_of(README))) >= 5


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_parse(words):
    name, rest = (words[0], words[1:]) if "/" not in words[0] else ("investigate", words)
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    module = catalogue.entry("command", name).load()
    module.arguments(parser)
    if hasattr(module, "more_arguments"):
        module.more_arguments(parser, list(words))
    parser.parse_args(rest)


def test_exit_codes_are_those_of_the_code():
    documented = re.findall(r"^\| (\d+) \|", README, re.MULTILINE)
    assert [int(n) for n in documented] == sorted(code.value for code in ExitCode)


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
    assert named <= targets
    assert {"demo", "test"} <= named


EXAMPLES = dict(
    re.findall(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```$", CONTRIBUTING, re.MULTILINE | re.DOTALL)
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree with the examples of CONTRIBUTING.md added."""
    root = tmp_path_factory.mktemp("copy")
    unwanted = shutil.ignore_patterns("__pycache__", "test_docs.py")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", root)
    # An editable install finds the original first: its finder has to go for the copy to be read.
    (root / "src" / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in type(f).__module__]\n"
    )
    for path, text in EXAMPLES.items():
        assert not (root / path).exists(), f"{path} exists by now: choose another example"
        (root / path).write_text(text, "utf-8")
    return root


def in_copy(root, *words):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root / "src"), "TMPDIR": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_are_one_file_and_one_test_each():
    tests = {p for p in EXAMPLES if p.startswith("tests/")}
    files = set(EXAMPLES) - tests
    assert len(files) == len(tests) == 3
    for path in files:
        inside, name = Path(path).relative_to("src/locard").parent, Path(path).name
        assert f"tests/{inside}/test_{name}" in tests


def test_the_examples_pass_the_meta_tests_and_their_own(copy):
    names = [Path(p).stem.replace("_", "-") for p in EXAMPLES if p.startswith("src/")]
    # The scenario's own test plays every scenario (40 s): its draws are tested here instead.
    own = [p for p in EXAMPLES if p.startswith("tests/") and "/lab/" not in p]
    chosen = " or ".join([*names, *(Path(p).stem for p in own), "test_draws"])
    shown = in_copy(
        copy, "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen,
        "tests/test_meta.py", "tests/lab/test_draws.py", *own,
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", shown)
    assert passed
    assert int(passed[1]) >= 15, shown


def test_the_examples_pass_the_linter(copy):
    in_copy(copy, "ruff", "check", "--no-cache", *EXAMPLES)
    in_copy(copy, "ruff", "format", "--check", "--no-cache", *EXAMPLES)
