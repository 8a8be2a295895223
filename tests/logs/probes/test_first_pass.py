from __future__ import annotations

import json
import subprocess
import sys

import pytest

from locard.logs.probes import first_pass
from locard.model.log_facts import LogSummary
from locard.model.target import Context, Target
from support import run_probe

TARGET = Target("host/local", "host", "local", "here")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "service.log"
    records = [{"time": 1763812800 + i / 10, "status": 503 if i > 600 else 200} for i in range(900)]
    path.write_text("\n".join(map(json.dumps, records)) + "\n")
    return path


def test_reads_a_file_in_a_process_of_its_own(log):
    context = Context(TARGET, (str(log),))
    (output,), (fact,) = run_probe(first_pass, context)
    assert output.exit_code == 1
    assert isinstance(fact, LogSummary)
    assert fact.changed == ("errors",)
    assert fact.onset.earliest <= 1763812860.1 <= fact.onset.latest


def test_reads_its_standard_input(log):
    code = (
        "from support import run_probe\n"
        "from locard.logs.probes import first_pass\n"
        "from locard.model.target import Context, Target\n"
        "_, (fact,) = run_probe(first_pass, Context(Target('host/local', 'host', 'local', 'here'), ('-',)))\n"
        "print(fact.records, fact.changed)\n"
    )
    tests = next(p for p in sys.path if p.endswith("/tests"))
    with log.open("rb") as data:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=data, cwd=tests, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
    assert done.stdout == "900 ('errors',)\n"


def test_what_cannot_be_read_has_no_facts_and_says_why(tmp_path):
    context = Context(TARGET, (str(tmp_path / "missing.log"),))
    (output,), facts = run_probe(first_pass, context)
    assert facts == ()
    assert output.exit_code == 3
    assert b"no such file" in output.stderr


def test_several_sources_share_the_time_box(log):
    context = Context(TARGET, (str(log), str(log), str(log)))
    outputs, facts = run_probe(first_pass, context)
    assert len(facts) == 3
    assert all(o.argv[o.argv.index("--budget") + 1] == "15" for o in outputs)


def test_without_a_source_it_is_skipped():
    skip = first_pass.applies(Context(TARGET))
    assert "--logs" in skip.unlock


def test_a_path_cannot_become_an_option():
    with pytest.raises(Exception, match="source"):
        first_pass.FILE.fill(source="-o", since="1", budget="1")
