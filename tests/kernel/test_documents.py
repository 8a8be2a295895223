"""What `-o json` of the commands below the application prints is what docs/locard-1.schema.json says."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from observing_support import asking, working

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/locard-1.schema.json").read_text())
WORK = """
import signal, tempfile
signal.signal(signal.SIGUSR1, lambda *_: None)
held = threading.Lock(); held.acquire()
threading.Thread(target=held.acquire, name="waits", daemon=True).start()
ready()
tell()
while True:
    for path in ("/etc/passwd", "/nowhere"):
        try: open(path).close()
        except OSError: pass
    os.kill(os.getpid(), signal.SIGUSR1)
    os.system("true")
    time.sleep(.01)
"""
COMMANDS = {
    "waits": "Waits",
    "syscalls": "SystemCalls",
    "libcalls -e malloc+free": "Trace",
    "trace opens": "Trace",
    "trace signals": "Trace",
    "trace exec": "Trace",
    "trace run-queue": "Trace",
    "trace off-cpu": "Trace",
    "trace last-calls": "Trace",
}


@pytest.fixture(scope="module")
def target():
    with working(WORK) as workload:
        workload.go()
        yield workload


@pytest.fixture(scope="module")
def valid():
    return jsonschema.validators.validator_for(SCHEMA)(SCHEMA)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_document_is_as_the_schema_says(words, target, valid, tmp_path):
    argv = (*words.split(), f"pid/{target.pid}", "--for", "1s", "--state", tmp_path)
    with asking(*argv, attaches=False) as asked:
        pass
    if asked.fact["fact"] == "NotObserved":
        pytest.skip(asked.fact["problem"])
    assert asked.fact["fact"] == COMMANDS[words]
    valid.validate(asked.document)
    other = copy.deepcopy(asked.document)
    other["evidence"][0]["facts"][0]["more"] = 1
    assert not valid.is_valid(other)


@pytest.mark.parametrize("words", ["waits", "syscalls", "libcalls", "trace opens"])
def test_so_is_what_would_run(words, target, valid, tmp_path):
    argv = (*words.split(), f"pid/{target.pid}", "--dry-run", "--state", tmp_path)
    with asking(*argv, attaches=False) as asked:
        pass
    assert asked.document["kind"] == "plan"
    valid.validate(asked.document)


@pytest.mark.parametrize("words", ["waits", "syscalls", "libcalls", "trace opens"])
def test_and_what_could_not_be_observed(words, target, valid, tmp_path):
    """Without the capabilities: a NotObserved, or waits from /proc."""
    argv = (*words.split(), f"pid/{target.pid}", "--for", "1s", "--state", tmp_path)
    less = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    with asking(*argv, prefix=less, attaches=False) as asked:
        pass
    assert asked.fact["fact"] == ("Waits" if words == "waits" else "NotObserved")
    valid.validate(asked.document)
