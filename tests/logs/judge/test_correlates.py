"""Correlates over a real table: planted sets, redundancy, everyone, many fields, many values."""

from __future__ import annotations

import pytest

from locard.logs.judge.before_after import counts
from locard.logs.judge.correlates import correlates
from locard.logs.judge.events import Events
from locard.logs.table.table import Table, connect

REQUESTS = 20_000
USUAL = 0.005


def draw(field: int) -> str:
    """A number on [0, 1) for each request, another one for each field."""
    return f"(hash(i * 100003 + {field}) >> 11) / 9007199254740992.0"


def value(field: int, values: int) -> str:
    """Zipfian: v0 is the most frequent one."""
    return f"'v' || CAST(floor(exp({draw(field)} * ln({values + 1}))) - 1 AS INT)"


@pytest.fixture
def find():
    """The correlates among requests whose fields and rate of errors are given as SQL."""
    table = Table(connect(1), "test")

    def run(fields, rate, *, usual=USUAL, requests=REQUESTS, before=0.5):
        listed = ", ".join(f"{sql} AS {name}" for name, sql in fields.items())
        table.db.execute(f"""
            CREATE OR REPLACE TABLE compared AS
            SELECT i AS n, {draw(0)} < {usual} + CASE WHEN later THEN {rate} ELSE 0 END AS bad, *
            FROM (SELECT i, i >= {before * requests} AS later, {listed} FROM range({requests}) r(i))""")
        events = Events({f: f for f in fields}, requests, 0.0, 1.0, False, "", False)
        return correlates(table, events, counts(table))

    yield run
    table.db.close()


FIELDS = {
    "region": value(1, 4),
    "segment": value(2, 3),
    "upstream": value(3, 6),
    "shard": value(4, 16),
    "tenant": value(5, 2000),
}


def found(correlates):
    return [dict(c.values) for c in correlates]


@pytest.mark.parametrize(
    "truth",
    [
        {"upstream": "v2"},
        {"region": "v1", "upstream": "v0"},
        {"region": "v1", "segment": "v0", "upstream": "v1"},
    ],
)
@pytest.mark.parametrize("rate", [0.5, 0.1])
def test_a_planted_set_is_found(find, truth, rate):
    inside = " AND ".join(f"{f} = '{v}'" for f, v in truth.items())
    (only,) = find(FIELDS, f"CASE WHEN {inside} THEN {rate} ELSE 0 END")
    assert dict(only.values) == truth
    assert only.share_of_excess > 0.7
    assert only.p_value < 1e-3


def test_two_planted_sets_the_bigger_one_first(find):
    rate = "CASE WHEN region = 'v1' THEN 0.2 WHEN upstream = 'v2' AND segment = 'v0' THEN 0.2 ELSE 0 END"
    first, second = find(FIELDS, rate)
    assert found((first, second)) == [{"region": "v1"}, {"segment": "v0", "upstream": "v2"}]
    assert first.share_of_excess + second.share_of_excess == pytest.approx(1, abs=0.2)


def test_everyone_is_nobody(find):
    assert find(FIELDS, "0.2") == ()


def test_everyone_by_their_own_rate_is_nobody(find):
    """The path that always had most errors has most of the new ones."""
    fields = {**FIELDS, "path": value(6, 5)}
    own = "CASE WHEN path = 'v1' THEN 0.02 ELSE 0.002 END"
    assert find(fields, f"9 * {own}", usual=own) == ()


@pytest.mark.parametrize("seed", range(20))
def test_nothing_planted_nothing_found(find, seed):
    fields = {f"f{k}": value(1000 + 100 * seed + k, 2 + 3 * k) for k in range(12)}
    assert find(fields, "0.02") == ()


def test_a_deploy_for_everyone_at_the_onset_is_none(find):
    fields = {**FIELDS, "version": "CASE WHEN i >= 10000 THEN 'new' ELSE 'old' END"}
    assert found(find(fields, "CASE WHEN region = 'v1' THEN 0.3 ELSE 0 END")) == [{"region": "v1"}]


def test_of_fields_that_follow_from_each_other_the_plainest_is_named(find):
    fields = {
        "host": f"({FIELDS['region']}) || '-' || CAST(floor(4 * {draw(7)}) AS INT)",
        "region": FIELDS["region"],
        "zone": f"'zone-' || ({FIELDS['region']})",
        "cluster": f"CASE WHEN {FIELDS['region']} = 'v1' THEN 'one' ELSE ({FIELDS['tenant']}) END",
    }
    assert found(find(fields, "CASE WHEN region = 'v1' THEN 0.3 ELSE 0 END")) == [{"region": "v1"}]
    host = "CASE WHEN host = 'v1-2' THEN 0.3 ELSE 0 END"
    assert found(find(fields, host)) == [{"host": "v1-2"}]


def test_two_of_many_values_are_two_correlates(find):
    fields = {**FIELDS, "pod": f"'pod-' || CAST(floor(20 * {draw(8)}) AS INT)"}
    rate = "CASE WHEN pod IN ('pod-3', 'pod-7') THEN 0.3 ELSE 0 END"
    named = found(find(fields, rate))
    assert sorted(n["pod"] for n in named) == ["pod-3", "pod-7"]


def test_five_hundred_fields(find):
    fields = {**FIELDS, **{f"f{k}": value(50 + k, 2 + k % 40) for k in range(495)}}
    inside = "region = 'v1' AND upstream = 'v0'"
    rate = f"CASE WHEN {inside} THEN 0.3 ELSE 0 END"
    assert found(find(fields, rate)) == [{"region": "v1", "upstream": "v0"}]


def test_a_sample_of_many_requests_is_enough(find):
    """More than are counted one by one; the counts that are said are those of all of them."""
    rate = "CASE WHEN region = 'v1' AND upstream = 'v2' THEN 0.1 ELSE 0 END"
    fields = {**FIELDS, "customer": value(9, 1_000_000)}
    (only,) = find(fields, rate, requests=600_000)
    assert dict(only.values) == {"region": "v1", "upstream": "v2"}
    assert only.share_of_excess == pytest.approx(1, abs=0.05)
    assert only.support > 1000


def test_one_of_a_million_values(find):
    fields = {
        **FIELDS,
        "customer": f"CASE WHEN {draw(9)} < 0.01 THEN 'big' ELSE CAST(hash(i) AS VARCHAR) END",
    }
    named = found(find(fields, "CASE WHEN customer = 'big' THEN 0.5 ELSE 0 END"))
    assert named == [{"customer": "big"}]


def test_without_a_past_those_inside_are_judged_against_the_others(find):
    (only,) = find(FIELDS, "CASE WHEN region = 'v1' THEN 0.3 ELSE 0 END", before=0)
    assert dict(only.values) == {"region": "v1"}
    assert find(FIELDS, "0.1", before=0) == ()


def test_hostile_values_stay_values(find):
    fields = {**FIELDS, "agent": f"CASE WHEN {draw(10)} < 0.2 THEN 'x'' OR ''1''=''1' ELSE '%' END"}
    (only,) = find(fields, "CASE WHEN agent <> '%' THEN 0.3 ELSE 0 END")
    assert dict(only.values) == {"agent": "x' OR '1'='1"}


def test_no_fields_no_correlates(find):
    assert find({"same": "'v'"}, "0.2") == ()


def test_what_failed_requests_alone_carry_hides_no_set(find):
    """As where a method or a code stands on failed requests only, before the incident too."""
    path = value(1, 5)
    rate = f"CASE WHEN {path} = 'v1' THEN 0.3 ELSE 0 END"
    failed = f"{draw(0)} < {USUAL} + CASE WHEN i >= 10000 THEN {rate} ELSE 0 END"
    fields = {"path": path, "method": f"CASE WHEN {failed} THEN 'POST' ELSE 'GET' END"}
    assert found(find(fields, rate.replace(path, "path"))) == [{"path": "v1"}]
