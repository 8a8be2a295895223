"""Scores locard on the lab: every scenario and variant over a number of seeds, one after another.

    python bench/lab.py --seeds 3                    three seeds of everything
    python bench/lab.py --scenarios upstream-slow --variants fault --seeds 7,8,9
    python bench/lab.py -o json > score.json         every run with its truth and its score

Scenarios that the log alone gives away are asked with `locard logs`, all others with `locard
investigate`; --ask takes one of them for all.
Prints for each scenario: top-1 (runs in which the first contributing factor is the truth), false
alarms (near-miss and healthy runs with a mechanism of severity warning or more), whether the true
onset lies inside the interval found and how wide that is, the seconds to the first and to the
right finding, and what the clients of the target lost meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from locard import catalogue
from locard.lab import investigation, score
from locard.lab.errors import LabError
from locard.lab.play import Casting, draw, play
from locard.lab.processes import hide
from locard.lab.scene import Variant
from locard.lab.stage import require_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from locard.lab.investigation import Investigated
    from locard.lab.stage import Stage


def main() -> int:
    """Run all and print the table; the exit code is 1 if a run could not be played."""
    args = _arguments()
    require_programs()
    hide(set(sys.argv[1:]))
    done: list[dict[str, Any]] = []
    failed = 0
    for casting in _castings(args):
        began = time.monotonic()
        try:
            played = play(casting, _asking(casting, args.ask), lambda _: None)
        except LabError as error:
            failed += 1
            print(f"{_name(casting)}: not played: {error}", file=sys.stderr, flush=True)
            continue
        document = score.demo_document(played)["demo"]
        done.append(document)
        _tell(casting, document, time.monotonic() - began)
    if args.output == "json":
        print(json.dumps({"schema": "locard/1", "kind": "lab", "runs": done}, indent=2))
    else:
        print(table(done))
    return 1 if failed else 0


def _asking(casting: Casting, ask: str | None) -> Callable[[Stage], Investigated]:
    ask = ask or ("logs" if draw(casting).truth.in_log else "investigate")
    if ask == "logs":
        return investigation.logs_as_json
    return lambda stage: investigation.as_json(stage, echo=False)


def table(runs: Iterable[dict[str, Any]]) -> str:
    """One block a scenario."""
    by_scenario: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_scenario.setdefault(run["scenario"], []).append(run)
    return "\n\n".join(_block(name, rows) for name, rows in sorted(by_scenario.items()))


def _block(name: str, rows: list[dict[str, Any]]) -> str:
    faulty = [r["score"] for r in rows if r["variant"] == Variant.FAULT]
    quiet = [r for r in rows if r["variant"] != Variant.FAULT]
    alarmed = [r for r in quiet if r["score"]["false_alarms"]]
    scores = [r["score"] for r in rows]
    lines = [
        name,
        f"  top-1             {_share(s['top1'] for s in faulty)}",
        f"  false alarms      {len(alarmed)}/{len(quiet)}{_rules(alarmed)}",
        f"  false claims      {sum(len(s['false_claims']) for s in scores)} in {len(scores)} runs",
        *(
            f"    {r['variant']} {r['seed']}: {text}"
            for r in rows
            for text in r["score"]["false_claims"]
        ),
        f"  onset inside      {_share(s['onset_hit'] for s in faulty)}",
        f"  onset interval    {_median(s['onset_width_s'] for s in faulty)} s wide",
        f"  values named      {_mean(s['values_hit'] for s in faulty)}",
        f"  place named       {_share(s['mentions_hit'] for s in faulty)}",
        f"  first finding     {_median(s['first_finding_s'] for s in faulty)} s",
        f"  right finding     {_median(s['right_finding_s'] for s in faulty)} s",
        f"  verdict           {_median(s['verdict_s'] for s in scores)} s",
        f"  locard's CPU      {_median(s['locard_cpu_s'] for s in scores)} s",
    ]
    for variant in Variant:
        lost = [r["target_lost"] for r in rows if r["variant"] == variant]
        if lost:
            lines.append(f"  lost, {variant.value:<11} {_lost(lost)}")
    return "\n".join(lines)


def _lost(lost: list[dict[str, Any]]) -> str:
    def both(key: str) -> str:
        return " → ".join(_median(x[when][key] for x in lost) for when in ("before", "during"))

    return f"p50 {both('p50_ms')} ms, p99 {both('p99_ms')} ms, errors {both('error_share')}"


def _rules(alarmed: list[dict[str, Any]]) -> str:
    names = sorted({rule for r in alarmed for rule in r["score"]["false_alarms"]})
    seeds = ", ".join(f"{r['variant']} {r['seed']}" for r in alarmed)
    return f" ({', '.join(names)}; {seeds})" if alarmed else ""


def _share(values: Iterable[bool | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{sum(known)}/{len(known)}"


def _mean(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{statistics.mean(known):.0%}" if known else "-"


def _median(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "-"
    middle = statistics.median(known)
    return f"{middle:.0f}" if middle >= 100 else f"{middle:.3g}"


def _tell(casting: Casting, document: dict[str, Any], seconds: float) -> None:
    marks = document["score"]
    word = "right" if marks["right"] else "wrong"
    detail = f"rank {marks['rank']}, onset off {marks['onset_off_s']}"
    if casting.variant is not Variant.FAULT:
        detail = f"false alarms {list(marks['false_alarms'])}"
    print(f"{_name(casting)}: {word} ({detail}) in {seconds:.0f} s", file=sys.stderr, flush=True)


def _name(casting: Casting) -> str:
    return f"{casting.scenario} {casting.variant.value} seed {casting.seed}"


def _castings(args: argparse.Namespace) -> Iterator[Casting]:
    for seed in args.seeds:
        for name in args.scenarios:
            for variant in args.variants:
                yield Casting(name, seed, variant, args.scale)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = [e.name for e in catalogue.entries("scenario")]
    parser.add_argument(
        "--seeds", type=_seeds, default=_seeds("2"), metavar="N|A,B,…", help="how many, or which"
    )
    parser.add_argument("--scenarios", type=_words, default=every, metavar="NAME,…")
    parser.add_argument(
        "--variants",
        type=lambda text: [Variant(word) for word in _words(text)],
        default=list(Variant),
        metavar="NAME,…",
        help=", ".join(Variant),
    )
    parser.add_argument("--ask", choices=("investigate", "logs"), help="ask this for all")
    parser.add_argument("--scale", type=float, default=1.0, help="stretch or shorten the phases")
    parser.add_argument("-o", dest="output", choices=("text", "json"), default="text")
    args = parser.parse_args()
    for name in args.scenarios:
        if name not in every:
            parser.error(f"no scenario {name!r}; there is: {', '.join(every)}")
    return args


def _seeds(text: str) -> list[int]:
    """`3` is the first three seeds, `7,9` are these two, `7,` is this one."""
    numbers = [int(part) for part in text.split(",") if part]
    return numbers if "," in text else list(range(1, numbers[0] + 1))


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    raise SystemExit(main())
