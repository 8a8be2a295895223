"""log-silence: a source that stops while the others go on, and did not say that it would."""

from dataclasses import replace

from locard.model.finding import Role, Severity
from locard.model.log_facts import Onset, Silence
from locard.rules.log_silence import judge
from rules.builders import case, log

SILENT = Silence(
    "pod", "pay-2", Onset(600.0, 602.0, 0.95), None, 2.0, 1e-9,
    own_before=200, others_before=400, others_during=410, last_words="request completed",
)  # fmt: skip


def found(**changes):
    summary = replace(log(changed=()), silences=(replace(SILENT, **changes),))
    return list(judge(case(summary)))


def test_fires_where_it_is_still_sent_its_requests():
    (finding,) = found()
    assert finding.title == "pod=pay-2 stopped writing to the log at 00:10:00 UTC"
    assert finding.role is Role.CONTEXT
    assert finding.severity is Severity.WARNING
    assert "it is sent them still" in finding.detail
    assert finding.values == (("pod", "pay-2"),)


def test_fires_as_a_note_where_the_counts_do_not_say():
    (finding,) = found(own_before=9, others_before=400, others_during=404)
    assert finding.severity is Severity.INFO
    assert "cannot be told" in finding.against[0].says
    assert len(finding.supports) == 1


def test_quiet_if_the_others_took_over():
    """It is gone, or its siblings take every connection before it does: no line is missing."""
    assert not found(others_during=600)


def test_fires_on_a_silence_that_ended():
    (finding,) = found(until=700.0)
    assert "until 00:11:40 UTC" in finding.detail


def test_quiet_if_it_said_goodbye_or_all_requests_ended():
    assert not found(last_words="Worker exiting (pid: 12)")
    assert not found(last_words="Graceful shutdown complete")
    assert not found(field="", value="")
    assert not list(judge(case(log())))
