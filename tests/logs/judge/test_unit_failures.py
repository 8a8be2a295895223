"""That a unit failed stands in its journal in systemd's words, which are no errors of the unit's."""

from __future__ import annotations

import json

import planted_logs as planted

from locard.model import log_sentences, log_state

FAILED = {
    "MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c",
    "_SYSTEMD_UNIT": "init.scope",
    "PRIORITY": "4",
}


def judged(tmp_path, failures):
    rows = []
    for n in range(300):
        at = round((planted.START + n) * 1e6)
        one = {"__REALTIME_TIMESTAMP": str(at), "PRIORITY": "6", "_SYSTEMD_UNIT": "pay.service"}
        rows.append(json.dumps({**one, "MESSAGE": f"INFO request {n} status=200"}))
        if n % 30 == 7 and failures:
            said = "pay.service: Failed with result 'oom-kill'."
            rows.append(json.dumps({**one, **FAILED, "MESSAGE": said}))
    log = planted.summarise(str(planted.write(tmp_path / "journal.json", rows)))
    state = log_state.judge(log)
    return log, state, log_sentences.sentence(log, state, str)


def test_nothing_changed_is_not_said_where_systemd_says_that_it_failed(tmp_path):
    log, state, words = judged(tmp_path, failures=True)
    assert log.unit_failures == 10
    assert state.kind != "steady"
    assert "systemd says in it 10 times that the unit failed" in " ".join((*state.why, words))
    assert "are errors" not in words, "the levels of its own lines are not those of systemd's"


def test_a_journal_without_such_lines_may_be_steady(tmp_path):
    log, state, _ = judged(tmp_path, failures=False)
    assert log.unit_failures == 0
    assert "failed" not in " ".join(state.why)
