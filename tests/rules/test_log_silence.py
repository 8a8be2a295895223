"""log-silence: a source that stops while the others go on, and did not say that it would."""

import datetime as dt
from dataclasses import replace

from locard.model.finding import Role, Severity
from locard.model.log_facts import Extent, MeasureShape, Onset, Silence
from locard.report import told
from locard.rules import log_silence
from rules.builders import case, log


def judge(facts):
    """What the rule finds, as a reader in UTC gets it."""
    return [told.finding(f, dt.UTC) for f in log_silence.judge(facts)]


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
    assert finding.role is Role.SCOPE
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


def test_requests_that_end_while_the_log_goes_on_are_the_whole_logs_silence():
    (finding,) = found(field="", value="")
    assert (finding.role, finding.severity) == (Role.CONTEXT, Severity.INFO), "nobody may ask"
    assert "No request is logged since" in finding.title


def test_a_log_that_goes_silent_at_all_is_a_finding():
    seen = Extent(
        requests=1000, errors_by=("status",), last_line=1000.0, typical_gap_s=1.0, longest_gap_s=4.0
    )
    (finding,) = judge(case(replace(log(changed=()), extent=replace(seen, read_at=1480.0))))
    assert finding.role is Role.MECHANISM
    assert "its last line came at 00:16:40 UTC, 8 min before it was read" in finding.title
    assert not list(judge(case(replace(log(changed=()), extent=replace(seen, read_at=1030.0)))))


def test_a_short_silence_without_a_zone_has_that_against_it():
    seen = Extent(requests=1000, errors_by=("status",), last_line=1000.0, longest_gap_s=4.0)
    told = replace(log(changed=()), records=10_000, extent=replace(seen, read_at=1080.0))
    (sure,) = judge(case(told))
    assert not sure.against
    (unsure,) = judge(case(replace(told, extent=replace(told.extent, zoned=False))))
    assert unsure.against[0].says == "its times name no zone"


def test_traffic_down_to_a_tenth_is_said():
    fell = MeasureShape("volume", "step", Onset(600.0, 610.0, 0.95), before=10.0, after=0.9)
    (finding,) = judge(case(replace(log(changed=()), shapes=(fell,))))
    assert "Traffic fell to 9.0 % of what it was" in finding.title
    assert finding.severity is Severity.INFO, "nobody may ask"
    assert not list(judge(case(replace(log(changed=()), shapes=(replace(fell, after=6.0),)))))


def test_quiet_if_it_said_goodbye():
    assert not found(last_words="Worker exiting (pid: 12)")
    assert not found(last_words="Graceful shutdown complete")
    assert not list(judge(case(log())))
