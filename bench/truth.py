"""Scores what locard says of real services whose truth is known: false claims and the first screen.

    python bench/truth.py                      every case
    python bench/truth.py 02 11                these
    python bench/truth.py --read FOLDER        score outputs that are there already

The cases are those of the folder `field/live` beside the checkout (or LOCARD_FIELD): each starts a
real service under load, breaks it and asks locard as a person would. PY names an interpreter with what
the services import, LOCARD_PUBLIC a locard that an ordinary user may run. Without that folder this says
that it skips. Printed for each question: what the truth calls untrue among the claims of `-o json`,
and whether the first screen names the right mechanism or the right lead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from locard.lab.false_claims import false_claims
from truth_cases import CASES, Asked

ROOT = Path(__file__).resolve().parents[1]
FIELD = Path(os.environ.get("LOCARD_FIELD", ROOT.parent / "shared" / "field")) / "live"
LOCARD = Path(sys.executable).with_name("locard")
_TIMEOUT_S = 480


def main() -> int:
    """Play, score, print."""
    args = _arguments()
    if not FIELD.is_dir() and not args.read:
        print(f"skipped: no cases in {FIELD} (set LOCARD_FIELD)")
        return 0
    out = Path(args.read or tempfile.mkdtemp(prefix="locard-truth-"))
    chosen = [n for n in CASES if not args.cases or any(n.startswith(c) for c in args.cases)]
    if not args.read:
        for name in chosen:
            _play(name, out)
    named, asked, false = 0, 0, 0
    for name in chosen:
        rows = [_score(out / name, question) for question in CASES[name]]
        named += all(right for right, _ in rows)
        asked += 1
        false += sum(len(untrue) for _, untrue in rows)
        for question, (right, untrue) in zip(CASES[name], rows, strict=True):
            word = "named" if right else "NOT NAMED"
            print(f"{name} {question.tag}: {word}, {len(untrue)} false claims")
            print("".join(f"    {text}\n" for text in untrue), end="")
    print(f"\nmechanism or lead on the first screen: {named} of {asked} cases")
    print(f"false claims: {false}")
    return 0


def _play(name: str, out: Path) -> None:
    """One case in a process of its own, so that it can be ended with all that it started."""
    script = FIELD / name / "run.py"
    env = {
        **os.environ,
        "LOCARD": os.environ.get("LOCARD", str(LOCARD)),
        "XDG_STATE_HOME": str(out / "state"),  # the cases ask for the last record
    }
    print(f"playing {name}", file=sys.stderr, flush=True)
    try:
        subprocess.run(
            [env.get("CASES_PYTHON", "python3"), script, out],
            cwd=script.parent, env=env, timeout=_TIMEOUT_S, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"{name}: not over after {_TIMEOUT_S} s", file=sys.stderr)


def _score(folder: Path, question: Asked) -> tuple[bool, tuple[str, ...]]:
    """Whether the first screen names it, and the claims that are untrue."""
    screen = _first_screen(_read(folder / f"{question.tag}.txt"))
    named = bool(screen) and all(re.search(p, screen, re.IGNORECASE) for p in question.names)
    untrue = [f"on the screen: {m[0]}" for p in question.never if (m := re.search(p, screen))]
    try:
        document = json.loads(_read(folder / f"{question.tag}.json"))
    except ValueError:
        return named, tuple(untrue)
    return named, (*untrue, *false_claims(document, question.known))


def _first_screen(text: str) -> str:
    """What was printed on standard output, its line breaks undone: 80 columns fold words."""
    shown = text.partition("\n--- stderr")[0].partition("\n")[2]
    return re.sub(r"\s+", " ", shown)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="NN", help="the first characters of their names"
    )
    parser.add_argument("--read", metavar="FOLDER", help="score the outputs in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
