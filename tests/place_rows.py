"""One service at each kind of place, looked at with every verb: what came of it, as rows of a table."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass

# A service with a log, a page of metrics and two threads; it runs on Python 3.6, too.
SERVICE = r"""
import http.server, sys, threading, time
log, page, count = sys.argv[1], int(sys.argv[2]), [0]
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = ("# TYPE requests_total counter\nrequests_total %d\n" % count[0]).encode()
        self.send_response(200); self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", page), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(log, "a") as file:
    while True:
        count[0] += 1
        line = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z INFO request done path=/buy ms=3\n"
        file.write(line); file.flush()
        if log != "/dev/stdout": print(line, end="", flush=True)
        time.sleep(0.05)
"""
VERBS = (
    "investigate", "host", "logs", "waits", "syscalls", "libcalls", "trace", "stacks", "profile", "heap", "find", "watch", "probe", "dry run", "doctor", "replay",
)  # fmt: skip
KERNEL = {
    "waits": ("waits",),
    "syscalls": ("syscalls",),
    "libcalls": ("libcalls", "-e", "malloc+free+PyEval_*"),
    "trace": ("trace", "run-queue"),
}
WATCH = ("http.server:BaseHTTPRequestHandler.handle", "--stats", "--alone", "--allow", "injects")
PYTHON = {
    "stacks": ("stacks",),
    "profile": ("profile", "--mode", "wall", "--for", "1s"),
    "heap": ("heap", "--for", "2s"),
    "find": ("find", "http.server:*"),
    "watch": ("watch", *WATCH, "--for", "1s"),
}
WORDS = {"ok": "yes", "partial": "in part", "no_data": "no data"}


@dataclass(frozen=True)
class Row:
    """A kind of place: what to type for it."""

    name: str
    target: str
    on: tuple[str, ...]
    logs: str
    page: str
    doctor: str


def look(locard, row, env, state, *, whole):
    """(verb or probe) -> what came of it; every verb, or `investigate` and `logs` alone."""
    flags = ("--state", state, "--budget", "90s")
    logs = ("--logs", row.logs) if row.logs else ()
    metrics = ("--metrics", row.page) if row.page else ()
    words = ("investigate", row.target, *row.on, *logs, *metrics, *flags, "-o", "json")
    done = locard(*words, env=env)
    found = json.loads(done.stdout) if done.stdout else {"evidence": []}
    cells = {"investigate": answered(done)}
    for evidence in found["evidence"]:
        word = WORDS.get(evidence["status"], evidence["status"])
        cells[f"{evidence['layer']}/{evidence['probe']}"] = word
    if row.logs:
        on = [word for word in row.on if word != "--sudo"]
        cells["logs"] = answered(locard("logs", row.logs, *on, "-o", "json", env=env))
    cells |= below(locard, row, env, flags)
    if whole:
        cells |= other_verbs(locard, row, env, flags, found.get("incident", "none"))
    return cells


def below(locard, row, env, flags):
    """What the commands below the application came to: what was observed, by its evidence."""
    cells = {}
    kernel = {verb: (*words, "--for", "1s") for verb, words in KERNEL.items()}
    for verb, words in {**kernel, **PYTHON}.items():
        done = locard(*words, row.target, *row.on, *flags, "-o", "json", env=env)
        found = json.loads(done.stdout) if done.stdout else {"evidence": []}
        words_ = [WORDS.get(e["status"], e["status"]) for e in found["evidence"]]
        cells[verb] = words_[-1] if words_ else answered(done)
    return cells


def other_verbs(locard, row, env, flags, incident):
    planned = locard("investigate", row.target, *row.on, "--dry-run", env=env)
    doctor = locard("doctor", *([row.doctor] if row.doctor else []), env=env)
    replayed = locard("incident", "replay", incident, *flags[:2], env=env)
    json_ = ("-o", "json")
    return {
        "host": answered(locard("host", row.target, *row.on, *flags, *json_, env=env)),
        "probe": answered(
            locard("probe", "host/fds", row.target, *row.on, *flags, *json_, env=env)
        ),
        "dry run": "yes" if "was run" in planned.stdout else "no",
        "doctor": answered(doctor, (0, 4)),
        "replay": answered(replayed),
    }


def answered(done, good=(0, 1)):
    """yes, in part, or no, by the exit code."""
    return "yes" if done.returncode in good else "in part" if done.returncode == 4 else "no"


def environment(**more):
    return {**os.environ, **more}


def settle():
    """The service has written some lines by then."""
    time.sleep(3)
