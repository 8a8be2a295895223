"""What `locard logs` says of workloads that do not run, on a real Kubernetes: the rule, its reason, the exit code.

LOCARD_K8S names the cluster as for `make test-k8s`; its node has localhost/busybox:lab. Without it: skipped.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SPACE = "locard-bench"
TIGHT = "locard-bench-tight"
WARM_S = 45
Row = tuple[str, str, str, bool, int, float, bool]
# Target, namespace, the rule that should fire (none: healthy), and words of the reason that is planted.
KINDS = (
    ("deployment/hungry", SPACE, "oom-kill", "24Mi"),
    ("deployment/deaf", SPACE, "probe-kills", "probe failed"),
    ("statefulset/shard", SPACE, "pod-not-ready", "shard-2"),
    ("deployment/typo", SPACE, "container-not-started", "/app/serve"),
    ("deployment/keyless", SPACE, "container-not-started", "signing-key"),
    ("deployment/imageless", SPACE, "container-not-started", "localhost/none:3"),
    ("deployment/homeless", SPACE, "container-not-started", "Insufficient cpu"),
    ("deployment/patient", SPACE, "container-not-started", "no answer yet"),
    ("deployment/looping", SPACE, "restart-loop", "panic: queue mail has no exchange"),
    ("job/nightly", SPACE, "container-ended", "KeyError: total"),
    ("deployment/asleep", SPACE, "container-not-started", "scaled to 0"),
    ("deployment/blocked", TIGHT, "container-not-started", "exceeded quota"),
    ("job/tidy", SPACE, "", ""),
    ("deployment/alpha", SPACE, "", ""),
)


def beside() -> list[str]:
    """What a command is put behind to run it beside the cluster."""
    named = os.environ.get("LOCARD_K8S", "")
    if Path(named).is_dir() and named:
        subprocess.run([Path(named) / "up.sh"], check=True, stdout=subprocess.DEVNULL)
        return [str(Path(named) / "in.sh")]
    return shlex.split(named)


def main() -> None:
    """Print the section."""
    front = beside()
    if not front:
        print("## Kubernetes\n\nSkipped: LOCARD_K8S names no cluster.")
        return
    kinds = HERE / "kubernetes_kinds.yaml"
    kubectl = [*front, "kubectl"]
    spaces = ["--wait=true", "--ignore-not-found"]
    try:
        subprocess.run([*kubectl, "apply", "-f", kinds], check=True, stdout=subprocess.DEVNULL)
        time.sleep(WARM_S)
        rows = [one(front, *kind) for kind in KINDS]
    finally:
        subprocess.run(
            [*kubectl, "delete", "namespace", SPACE, TIGHT, *spaces],
            check=False, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    right = sum(row[-1] for row in rows)
    print("## Kubernetes\n")
    print(
        f"`bench/kubernetes.py`: a workload a row, asked {WARM_S} s after it was applied. Right: the rule alone, the "
        "planted reason in its words, exit code 1; of a healthy one no finding and exit code 0.\n"
    )
    print("| workload | planted | found | reason named | exit | CPU s | right |")
    print("|---|---|---|---|---|---|---|")
    for ref, planted, found, named, code, cpu, good in rows:
        print(
            f"| {ref} | {planted or 'healthy'} | {found or 'nothing'} | {'yes' if named else 'no'} | {code} | "
            f"{cpu:.1f} | {'yes' if good else 'NO'} |"
        )
    print(f"\nRight: {right} of {len(rows)}. The kinds were at hand while the rules were written.")


def one(front: list[str], ref: str, space: str, rule: str, words: str) -> Row:
    """Ask, and compare."""
    before = os.times()
    argv = [*front, sys.executable, "-m", "locard", "logs", ref, "-n", space, "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    body = json.loads(done.stdout) if done.stdout else {"findings": []}
    # What the log itself shows (a service that got worse) is judged elsewhere.
    found = sorted({f["rule"] for f in body["findings"] if f["rule"] != "service-degraded"})
    said = json.dumps(body["findings"])
    named = words in said if words else True
    good = found == ([rule] if rule else []) and named and done.returncode == (1 if rule else 0)
    return ref, rule, ", ".join(found), named, done.returncode, cpu, good


if __name__ == "__main__":
    main()
