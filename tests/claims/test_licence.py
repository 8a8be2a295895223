"""Licences: what may be said with the evidence, what stands in without it, and no way around."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import locard.claims
import locard.report
from locard.claims import licence, logs
from locard.claims.record import Record
from locard.claims.story import claimed
from locard.model.claim import Claim, Figure, Licensed, figures
from locard.model.evidence import Layer
from locard.model.facts import ProcessCondition, ProcessConditions, Reading, Readings
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.investigation import Activity, LayerState
from locard.model.log_facts import AffectedValue, BlastRadius, Extent, MeasureShape, Onset
from locard.report import sentences
from locard.report.sentences import say
from rules.builders import case, correlate, log, stack, stacks

REPORT = Path(locard.report.__file__).parent


def record(*facts, **fields):
    return Record(case(*facts), 1000.0, **fields)


def rates(before, after):
    """A log whose errors changed from one share to the other."""
    shape = MeasureShape("errors", "step", Onset(10.0, 12.0, 0.95), None, before, after)
    return replace(
        log(changed=("errors",)), onset=Onset(10.0, 12.0, 0.95), shapes=(shape,),
        bad_means="status >= 500",
    )  # fmt: skip


BAD = rates(0.01, 0.4)
GOOD = replace(
    log(changed=()), extent=Extent(requests=500, errors_by=("status",), levels=2, statuses=3)
)


def stands(summary, kind=None):
    claim = logs.standing(summary, ("e1",))
    return replace(claim, kind=kind) if kind else claim


def test_a_claim_that_fits_is_granted():
    granted = licence.grant(stands(BAD), record(BAD))
    assert (granted.claim.kind, granted.instead_of) == ("log_going_on", "")
    assert sentences.say(granted).text == "Errors rose from 1.0 % to 40 % (step)."


def test_a_rise_that_fell_is_not_called_one():
    fell = rates(0.4, 0.01)
    text = sentences.say(licence.grant(stands(fell), record(fell))).text
    assert "rose" not in text
    assert "40 %" in text


def test_nothing_changed_needs_errors_that_can_be_told_and_a_good_level():
    assert licence.grant(stands(GOOD), record(GOOD)).claim.kind == "log_steady"
    blind = replace(GOOD, extent=Extent(requests=500))
    bad = replace(GOOD, extent=replace(GOOD.extent, errors=200))
    for summary in (blind, bad):
        granted = licence.grant(stands(summary), record(summary))
        assert granted.instead_of == "log_steady"
        assert granted.why
        assert "Nothing changed" not in sentences.say(granted).text


def test_a_state_that_the_log_is_not_in_gives_way_to_the_one_it_is_in():
    granted = licence.grant(stands(BAD, "log_steady"), record(BAD))
    assert (granted.claim.kind, granted.instead_of) == ("log_going_on", "log_steady")


def test_a_claim_that_cites_nothing_or_what_is_not_there_cannot_be_told():
    for cites in ((), ("e9",)):
        granted = licence.grant(replace(stands(BAD), evidence=cites), record(BAD))
        assert granted.claim.kind == "cannot_tell"


def test_everyone_needs_a_field_that_was_tested():
    def said(*radii):
        summary = replace(BAD, blast_radius=radii)
        claim = Claim("affected", "every_value_hit", "path", figures(says="x"), ("e1",))
        return licence.grant(claim, record(summary)).claim.kind

    hit, spared = value("a", 0.5, 0.6), value("b", 0.0, 0.02)
    assert said(BlastRadius("path", (hit, hit), (), ())) == "every_value_hit"
    assert said(BlastRadius("path", (hit,), (spared,), ())) == "spread_untold"
    assert said() == "spread_untold"


def test_an_onset_without_a_baseline_is_only_before():
    late = replace(BAD, onset=Onset(10.0, 12.0, 0.95, baseline_seen=False))
    onset = Claim("onset", "onset_known", "app.log", figures(latest=12.0, now=30.0), ("e1",))
    assert licence.grant(onset, record(late)).claim.kind == "onset_before"
    assert licence.grant(onset, record(BAD)).claim.kind == "onset_known"


def value(name, rate, high):
    return AffectedValue(name, 0.0, rate, rate, high, 300)


def test_spared_are_only_those_whose_interval_excludes_the_rate_of_the_hit():
    spared = Claim("unaffected", "values_spared", "region", figures(values=1), ("e1",))

    def said(high):
        radius = BlastRadius("region", (value("east", 0.5, 0.6),), (value("west", 0.0, high),), ())
        return licence.grant(spared, record(replace(BAD, blast_radius=(radius,)))).claim.kind

    assert said(0.02) == "values_spared"
    assert said(0.55) == "values_unknown"


def test_of_what_is_not_known_after_all_the_requests_are_said_and_no_rate():
    shown = (Figure("value", 0.03, "west", "1"), *figures(values=1))
    spared = Claim("unaffected", "values_spared", "region", shown, ("e1",))
    radius = BlastRadius("region", (value("east", 0.5, 0.6),), (value("west", 0.03, 0.55),), ())
    granted = licence.grant(spared, record(replace(BAD, blast_radius=(radius,))))
    assert say(granted, None).text == "region: west (300 requests)"


def test_a_set_that_the_log_does_not_name_is_not_hit():
    hit = Claim("affected", "set_hit", "upstream=bank", figures(support=38, of=40), ("e1",))
    named = replace(BAD, correlates=(correlate(upstream="bank"),))
    assert licence.grant(hit, record(named)).claim.kind == "set_hit"
    assert licence.grant(hit, record(BAD)).claim.kind == "cannot_tell"


BUSY = Activity("runs", "pay (app.py:3)", "busy", 8, 1.0, (7,), ())


def test_few_observations_do_not_lead():
    seen = stacks(*(stack(n, 1, "pay app.py:3", active=True) for n in range(8)))

    def said(what="runs", **values):
        claim = Claim("verdict", "threads_lead", what, figures(where="pay", **values), ("e1",))
        return licence.grant(claim, record(seen, activities=(BUSY,))).claim.kind

    assert said(share=0.9, observations=8) == "threads_lead"
    assert said("sleeps", share=0.9, observations=8) == "threads_do"
    assert said(share=0.9, observations=2) == "threads_do"
    assert said(share=0.3, observations=8) == "threads_do"


def test_all_idle_needs_every_process_to_be_read():
    seen = stacks(stack(0, 1, "_worker <lib>/concurrent/futures/thread.py:81"))
    idle = Claim("doing", "every_thread_idle", "every thread", figures(unknown=0), ("e1",))
    assert licence.grant(idle, record(seen)).claim.kind == "every_thread_idle"
    unread = replace(seen, missed=("pid 7: not permitted",))
    assert licence.grant(idle, record(unread)).claim.kind == "no_thread_busy"


def test_more_threads_than_were_seen_are_not_said():
    seen = stacks(stack(0, 1, "pay app.py:3", active=True))

    def said(observations):
        values = figures(share=0.4, observations=observations, where="pay")
        claim = Claim("doing", "threads_do", "runs", values, ("e1",))
        return licence.grant(claim, record(seen, activities=(BUSY,))).claim.kind

    assert said(8) == "threads_do"
    assert said(9) == "cannot_tell"


def test_a_process_is_stopped_only_if_the_evidence_has_it():
    stopped = ProcessConditions((ProcessCondition(7, "app", "stopped", 3),))

    def said(subject):
        claim = Claim("state", "process_condition", subject, figures(condition="stopped"), ("e1",))
        return licence.grant(claim, record(stopped)).claim.kind

    assert said("app (pid 7)") == "process_condition"
    assert said("app (pid 8)") == "cannot_tell"


def test_a_layer_is_unread_only_if_the_record_has_it_so():
    def said(status):
        layers = (LayerState(Layer.RUNTIME, status, ()),)
        claim = Claim("not_looked_at", "layer_skipped", "runtime", figures(why="no adapter"))
        return licence.grant(claim, record(BAD, layers=layers)).claim.kind

    assert said("skipped") == "layer_skipped"
    assert said("ran") == "cannot_tell"


def test_nothing_found_needs_readings_that_are_all_known_and_fine():
    def said(*verdicts):
        read = Readings(tuple(Reading("cpu", "system", 1, "1", None, v, "") for v in verdicts))
        claim = Claim("healthy", "layer_healthy", "host", (), ("e1",))
        return sentences.say(licence.grant(claim, record(read))).text

    assert said("ok", "ok") == "host: nothing found"
    assert said("ok", "unknown") == "host: nothing found in what could be read"
    assert said("warning", "unknown") == "host: no finding, though 1 reading out of the usual"


def test_a_factor_that_is_background_is_only_also_seen():
    def said(role):
        finding = Finding(
            "oom-kill", Layer.HOST, role, Severity.WARNING, "A kill", "", (
                Support("e1", Layer.LOGS, "x"),), id="f1",
        )  # fmt: skip
        claim = Claim("verdict", "factor", "oom-kill", figures(finding="f1", title="A"), ("e1",))
        return licence.grant(claim, record(BAD, findings=(finding,))).claim.kind

    assert said(Role.MECHANISM) == "factor"
    assert said(Role.CONTEXT) == "also_seen"


# --- no way around ---


def test_a_kind_without_a_licence_cannot_be_said(monkeypatch):
    claimed(record(BAD))  # as it is, all goes well
    monkeypatch.delitem(licence.LICENCES, "log_going_on")
    with pytest.raises(licence.UnlicensedError):
        claimed(record(BAD))


def test_a_renderer_prints_nothing_that_was_not_granted():
    claim = stands(BAD)
    assert sentences.say(licence.grant(claim, record(BAD))).text
    for forged in (claim, Licensed(claim, ""), Licensed(claim, "my_own"), "Nothing changed."):
        with pytest.raises(licence.UnlicensedError):
            sentences.say(forged)


def test_every_kind_has_a_licence_and_a_sentence():
    assert set(sentences._SENTENCES) == set(licence.LICENCES)


def test_every_kind_that_is_proposed_has_a_licence():
    folder = Path(locard.claims.__file__).parent
    proposed = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Claim":
                proposed |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    assert len(proposed) > 8
    assert proposed <= set(licence.LICENCES)


def test_only_the_licences_grant_and_only_the_sentences_say():
    """No other file of the package makes a Licensed, and no report makes a sentence of the story."""
    source = REPORT.parent
    makers = {
        str(file.relative_to(source))
        for file in source.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Licensed"
    }
    assert makers == {"claims/licence.py"}
