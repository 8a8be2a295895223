"""Scoring: documents with right, late, wrong and no answers."""

import pytest

from locard.lab.investigation import Investigated
from locard.lab.play import Casting, Played, draw
from locard.lab.records import Request
from locard.lab.scene import Variant
from locard.lab.score import demo_document, score, target_lost
from locard.lab.words import comparison

ONSET = 1000.0


def played(document, variant=Variant.FAULT, found_at=None):
    casting = Casting("upstream-slow", 9, variant)
    requests = tuple(
        Request(
            t / 10,
            t / 10,
            t / 10 + (0.5 if t % 2 else 0.1),
            504 if t % 10 == 0 else 200,
            "/",
            "",
            {},
        )
        for t in range(9700, 10400)
    )
    investigated = Investigated(("locard",), 1, document, found_at or {}, 1.5)
    onset = None if variant is Variant.HEALTHY else ONSET
    return Played(casting, draw(casting), 970.0, onset, 1025.0, 1035.0, requests, investigated)


def answer(rules, onset=(998.0, 1002.0), values=(), **finding):
    return {
        "contributing_factors": [{"rule": r, "rank": k} for k, r in enumerate(rules, 1)],
        "findings": [
            {"rule": r, "role": "mechanism", "severity": "warning", "values": list(values)}
            | finding
            for r in rules
        ],
        "onset": onset and {"earliest": onset[0], "latest": onset[1], "confidence": 0.9},
        "blast_radius": [],
        "correlates": [],
        "timings": {"first_finding_s": 0.8, "verdict_s": 9.0},
    }


def truth():
    return draw(Casting("upstream-slow", 9)).truth


def test_a_right_answer():
    pairs = [list(pair) for pair in truth().values]
    document = answer(["upstream-slow"], values=pairs, title=f"{truth().mentions[0]} is slow")
    marks = score(played(document, found_at={"upstream-slow": 1.2, "other": 0.5}))
    assert (marks.right, marks.top1, marks.rank) == (True, True, 1)
    assert (marks.onset_hit, marks.onset_off_s, marks.onset_width_s) == (True, 0, 4)
    assert (marks.values_hit, marks.mentions_hit) == (1, True)
    assert (marks.first_finding_s, marks.right_finding_s, marks.verdict_s) == (0.8, 1.2, 9.0)


def test_the_affected_values_of_a_blast_radius_count_as_named():
    document = answer(["upstream-slow"])
    field, value = truth().values[0]
    document["blast_radius"] = [{"field": field, "affected": [{"value": value}]}]
    assert score(played(document)).values_hit == pytest.approx(1 / 3, abs=0.001)


def test_a_second_place_is_not_right():
    marks = score(played(answer(["retry-storm", "upstream-slow"], onset=(1003.0, 1004.0))))
    assert (marks.right, marks.rank, marks.onset_hit, marks.onset_off_s) == (False, 2, False, 3)


@pytest.mark.parametrize("document", [{}, answer([], onset=None)])
def test_no_answer(document):
    marks = score(played(document))
    assert (marks.right, marks.rank, marks.onset_hit) == (False, None, False)
    assert marks.answered == bool(document)


def test_the_document_of_a_log_alone_is_scored_alike():
    pairs = [list(pair) for pair in truth().values]
    whole = answer(["upstream-slow"], values=pairs, title=f"{truth().mentions[0]} is slow")
    moved = ("onset", "blast_radius", "correlates")
    document = {"kind": "logs", "log_summary": {key: whole.pop(key) for key in moved}, **whole}
    del document["timings"]
    marks = score(played(document))
    assert (marks.right, marks.onset_hit, marks.values_hit) == (True, True, 1)
    assert marks.verdict_s == 10


def test_who_is_hit_comes_after_every_mechanism():
    document = answer(["x"])
    hit = {"rule": "upstream-slow", "role": "scope", "severity": "warning", "values": [["a", "b"]]}
    document["findings"].append(hit)
    assert score(played(document)).rank == 2
    document["contributing_factors"] = []
    assert score(played(document)).rank == 1
    document["findings"] = [{**hit, "values": []}]
    assert score(played(document)).rank is None


@pytest.mark.parametrize("variant", [Variant.HEALTHY, Variant.NEAR_MISS])
def test_false_alarms_are_mechanisms_of_warning_and_worse(variant):
    assert score(played(answer(["upstream-slow"]), variant)).false_alarms == ("upstream-slow",)
    assert score(played(answer(["upstream-slow"], severity="info"), variant)).right
    assert score(played(answer(["x"], role="scope"), variant)).right
    assert not score(played({}, variant)).right, "silence of a tool that broke is no right answer"


def test_what_the_target_lost_counts_equally_degraded_seconds():
    lost = target_lost(played(answer([])))
    assert lost["before"]["requests"] == lost["during"]["requests"] == 100
    assert lost["during"]["p99_ms"] == pytest.approx(500)
    assert lost["during"]["error_share"] == pytest.approx(0.1)


def test_the_document_and_the_words_hold_truth_and_score():
    run = played(answer(["upstream-slow"]))
    document = demo_document(run)
    assert document["demo"]["truth"]["rules"] == ["upstream-slow"]
    assert document["demo"]["truth"]["onset"] == ONSET
    assert document["demo"]["score"]["top1"] is True
    text = comparison(run)
    assert "found, ranked first" in text
    assert "inside the interval found (4.0 s wide)" in text
    assert text.endswith("The investigation was right.")
    assert "gave no answer" in comparison(played({}))
    healthy = demo_document(played(answer([]), Variant.HEALTHY))
    assert healthy["demo"]["truth"]["rules"] == []
