"""The language of `--where`: what it means, what it says of mistakes, and that nothing gets out."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locard.logs.ask import interpret, open_log
from locard.logs.ask import where_sql as compiling
from locard.logs.ask.slice import Question, records
from locard.logs.fields.meaning import Meaning
from locard.model.errors import UsageError
from locard.where.parse import LONGEST, parse
from locard.where.syntax import (
    Compare,
    Every,
    Exists,
    Field,
    Match,
    Not,
    OneOf,
    Some,
    Value,
    fields_of,
)
from locard.where.times import Clock, moment

BEGIN = 1_772_366_400  # 2026-03-01T12:00:00Z
CLOCK = Clock(dt.UTC, BEGIN + 600, BEGIN + 7200)


@pytest.fixture
def pick(tmp_path):
    """Which of the given records an expression picks, by their place."""

    def picked(rows, text):
        path = tmp_path / "some.log"
        path.write_text("".join(json.dumps({"i": i, **r}) + "\n" for i, r in enumerate(rows)))
        with open_log.asked(str(path), 30, 1) as found:
            question = Question.of(text or " ", select=("i",))
            return [int(i) for (i,) in records(found, question, CLOCK).rows]

    return picked


ROWS = [
    {"status": 200, "msg": "fine", "http": {"path": "/a"}, "time": "2026-03-01T12:00:00Z"},
    {"status": "503", "msg": "time out", "up": "cards", "time": "2026-03-01T12:05:00Z"},
    {"status": 1000, "msg": 'it\'s "odd"', "x y": True, "time": "2026-03-01T12:10:00Z"},
    {"status": "none", "up": None, "time": "2026-03-01T12:20:00Z"},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status = 503", [1]),
        ("status == 503.0", [1]),
        ("status >= 500", [1, 2]),
        ("status < 500", [0]),
        ("status != 503", [0, 2, 3]),
        ("status = none", [3]),
        ("status in (200, 503)", [0, 1]),
        ("not status in (200, 503)", [2, 3]),
        ("status not in (200, 503)", [2, 3]),
        ("msg ~ '^t.*t$'", [1]),
        ("msg !~ o", [0, 3]),
        ('msg = "it\'s \\"odd\\""', [2]),
        (r'msg ~ "\w+\s\w+"', [1]),
        ("up = cards", [1]),
        ("up != cards", [0, 2, 3]),
        ("up is null", [0, 2, 3]),
        ("up is not null", [1]),
        ("up == null", [0, 2, 3]),
        ("exists up", [1]),
        ("up exists and not status = 200", [1]),
        (".http.path = /a", [0]),
        ("`x y` = true or http.path = '/a'", [0, 2]),
        ("status = 200 or status = 503 and up = mail", [0]),
        ("(status = 200 or status = 503) && up = cards", [1]),
        ("time >= 12:05 and time < 12:10:00", [1]),
        ("time > 2026-03-01T12:05:00Z", [2, 3]),
        ("time <= '2026-03-01 12:00'", [0]),
        ("time > 101m ago", [3]),
    ],
)
def test_what_it_means(pick, text, expected):
    assert pick(ROWS, text) == expected


def test_roles_name_what_the_log_calls_otherwise(pick):
    rows = [
        {"ts": BEGIN + i, "severity": level, "rc": status, "took_ms": took}
        for i, (level, status, took) in enumerate(
            [("INFO", 200, 12), ("WARN", 404, 700), ("ERROR", 500, 1500), ("FATAL", 503, 90)]
        )
    ]
    assert pick(rows, "level >= error") == [2, 3]
    assert pick(rows, "level < warn or level = WARN") == [0, 1]
    assert pick(rows, "status >= 500 and duration > 1s") == [2]
    assert pick(rows, "duration >= 700ms") == [1, 2]
    assert pick(rows, "duration >= 700") == [1, 2]
    assert pick(rows, "time > 12:00:01 and time <= 12:00:02") == [2]


def test_pino_numbers_its_levels(pick):
    rows = [{"level": n, "msg": "x", "time": BEGIN * 1000 + n} for n in (30, 40, 50, 60)]
    assert pick(rows, "level >= error") == [2, 3]
    assert pick(rows, "level >= 40") == [1, 2, 3]


def test_a_level_is_found_in_any_spelling(pick):
    levels = ["ERROR", "error", "Err", "E", "warn", "info", "ERR", None]
    assert pick([{"level": x, "n": 1} for x in levels], "level = error") == [0, 1, 2, 3, 6]
    assert pick([{"level": x, "n": 1} for x in levels], "level != error") == [4, 5, 7]
    numbers = [{"level": x, "time": BEGIN + x} for x in (30, 50, 60)]
    assert pick(numbers, "level = error") == [1]


def test_whole_numbers_are_ordered_to_their_last_digit(pick):
    ids = [2**53, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63), 5, 1.5, "x"]
    given = [{"id": x} for x in ids]
    assert pick(given, f"id < {2**53 + 1}") == [0, 4, 5, 6]
    assert pick(given, f"id <= {2**53 + 1}") == [0, 1, 4, 5, 6]
    assert pick(given, f"id > {2**63 - 2}") == [2, 3]
    assert pick(given, f"id >= {2**64 - 1}") == [3]
    assert pick(given, f"id > {2**64 - 1}") == []
    assert pick(given, f"id <= {-(2**63)}") == [4]
    assert pick(given, "id < 1234567890123456.5") == [4, 5, 6]


def test_long_numbers_are_ids_and_compared_digit_by_digit(pick):
    rows = [{"id": 12345678901234567890}, {"id": 12345678901234567891}]
    assert pick(rows, "id = 12345678901234567891") == [1]


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("status >= ", 11, "expected a value"),
        ("status", 7, "expected a comparison"),
        ("status >= 500 upstream = a", 15, "`and`, `or` or the end"),
        ("(status = 1", 12, "`)`"),
        ("status in 5", 11, "`(` and values"),
        ("status in (5", 13, "`,` or `)`"),
        ("status is 5", 11, "`null`"),
        ("status not 5", 12, "`in`"),
        ("= 5", 1, "a field name"),
        ("msg = 'open", 7, "not closed"),
        ("msg ~ '('", 7, "no regular expression"),
        ("stat = 5", 1, "no field 'stat'"),
        ("status = 1 and nothing = 5", 16, "no field 'nothing'"),
        ("time > yesterday", 8, "no time"),
        ("not " * 60 + "a = 1", 201, "nested over"),
        ("a | b", 3, "has no place"),
        (" ", 2, "a field name"),
    ],
)
def test_mistakes_name_their_column(pick, text, column, says):
    with pytest.raises(UsageError) as caught:
        pick(ROWS, text)
    assert f"column {column}" in caught.value.what
    assert says in caught.value.why
    assert caught.value.next_step


def test_unknown_fields_are_answered_with_similar_ones(pick):
    with pytest.raises(UsageError) as caught:
        pick(ROWS, "statsu = 5")
    assert caught.value.next_step == "Similar ones: status"


def test_too_long_an_expression_is_refused():
    with pytest.raises(UsageError):
        parse("a = 1 or " * LONGEST)


def test_times_without_date_or_zone():
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert moment("12:05", CLOCK) == BEGIN + 300
    assert moment("12:15", CLOCK) == BEGIN + 900 - 86400  # the log ends at 12:10
    assert moment("13:05:30.5", Clock(berlin, BEGIN + 600)) == BEGIN + 330.5
    assert moment("2026-03-01T13:00", Clock(berlin, None)) == BEGIN
    assert moment("2h ago", CLOCK) == BEGIN
    assert moment("now", CLOCK) == BEGIN + 7200
    for wrong in ("25:00", "12:61", "later", "-1 ago", "", "99999-01-01"):
        with pytest.raises(UsageError):
            moment(wrong, CLOCK)


# --- against a plain evaluation of the same meaning -------------------------------------------

NAMES = ("a", "b.c", "odd name")
TEXTS = ["", "a", "ab", "B", "500", "5e2", "500.0", "-1", "0", "nan", "inf", "1_0", " 7 ", "true",
         "é'\"; --", "x\\y", "12345678901234567890", "null"]  # fmt: skip
values = st.sampled_from(TEXTS)
cells = st.none() | values | st.integers(-2, 600) | st.floats(-5, 600).map(lambda x: round(x, 2))
rows_strategy = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=12)
fields = st.sampled_from(NAMES).map(Field)
written = st.one_of(
    values.map(lambda t: Value(t, quoted=True)),
    st.sampled_from(["500", "5e2", "-1", "0.5", "a", "B", "true", "12345678901234567890"]).map(
        Value
    ),
)
tests = st.one_of(
    st.builds(Compare, fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), written),
    st.builds(OneOf, fields, st.lists(written, min_size=1, max_size=3).map(tuple)),
    st.builds(
        Match,
        fields,
        st.sampled_from(["a", "^5", r"\d+$", "[aB]b?", ""]).map(lambda t: Value(t, True)),
    ),
    st.builds(Exists, fields),
)
nodes = st.recursive(
    tests,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda x: Every(tuple(x))),
        st.lists(inner, min_size=2, max_size=3).map(lambda x: Some(tuple(x))),
    ),
    max_leaves=8,
)


def spelled(node):
    """An expression as a user would write it."""
    if isinstance(node, Not):
        return f"not ({spelled(node.item)})"
    if isinstance(node, Every | Some):
        joint = " and " if isinstance(node, Every) else " or "
        return joint.join(f"({spelled(item)})" for item in node.items)
    name = f"`{node.field.name}`"
    if isinstance(node, Exists):
        return f"{name} is not null"
    if isinstance(node, Match):
        return f"{name} ~ {quote(node.pattern)}"
    if isinstance(node, OneOf):
        return f"{name} in ({', '.join(map(quote, node.values))})"
    return f"{name} {node.op} {quote(node.value)}"


def quote(value):
    if not value.quoted:
        return value.text
    return '"' + value.text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number_of(text):
    try:
        return float(text)
    except ValueError:
        return None


def holds(node, row):  # noqa: PLR0911 - a kind of node a line
    """The meaning of an expression, plainly."""
    if isinstance(node, Not):
        return not holds(node.item, row)
    if isinstance(node, Every | Some):
        return (all if isinstance(node, Every) else any)(holds(item, row) for item in node.items)
    text = row[node.field.name]
    if isinstance(node, Compare) and node.op == "!=":
        return not holds(Compare(node.field, "=", node.value), row)
    if text is None:
        return False
    if isinstance(node, Exists):
        return True
    if isinstance(node, Match):
        return re.search(node.pattern.text, text) is not None
    if isinstance(node, OneOf):
        return any(holds(Compare(node.field, "=", v), row) for v in node.values)
    return compares(text, node.op, node.value)


def compares(text, op, value):
    wanted = value.number
    if wanted is None or (op == "=" and sum(c.isdigit() for c in value.text) > 15):
        left, right = text.encode(), value.text.encode()
    else:
        left, right = number_of(text), wanted
        if left is None or left != left or left in {float("inf"), float("-inf")}:  # noqa: PLR0124
            return False
    return {"=": left == right, "<": left < right, "<=": left <= right, ">": left > right,
            ">=": left >= right}[op]  # fmt: skip


@pytest.fixture(scope="module")
def database():
    import duckdb

    db = duckdb.connect(":memory:")
    yield db
    db.close()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=rows_strategy, node=nodes)
def test_it_means_what_the_plain_evaluation_says(database, rows, node):
    meaning = Meaning(columns={name: f"c{i}" for i, name in enumerate(NAMES)})
    texts = [[None if v is None else str(v) for v in row] for row in rows]
    database.execute("CREATE OR REPLACE TABLE raw (_n BIGINT, c0 VARCHAR, c1 VARCHAR, c2 VARCHAR)")
    database.executemany(
        "INSERT INTO raw VALUES (?, ?, ?, ?)", [[i, *row] for i, row in enumerate(texts)]
    )
    parsed = parse(spelled(node))
    assert [f.name for f in fields_of(parsed)] == [f.name for f in fields_of(node)]
    found = compiling.condition(parsed, meaning, CLOCK)
    got = database.execute(
        f"SELECT _n FROM raw WHERE {found.sql} ORDER BY _n", found.parameters
    ).fetchall()
    expected = [i for i, row in enumerate(texts) if holds(node, dict(zip(NAMES, row, strict=True)))]
    assert [n for (n,) in got] == expected, spelled(node)


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=60) | st.text("ab=!~<>()'\"`,&| \\;-$.0123nortisulexp", max_size=60))
def test_any_text_compiles_or_is_refused(database, text):
    """And what compiles binds what it was given: the SQL holds no text of the user's."""
    meaning = Meaning(columns={"a": "c0", "b": "c1"})
    try:
        found = compiling.condition(parse(text), meaning, CLOCK, text)
    except UsageError:
        return
    assert not re.search(r"""[;"\\]|--""", found.sql)
    database.execute("CREATE OR REPLACE TABLE raw (_n BIGINT, c0 VARCHAR, c1 VARCHAR, c2 VARCHAR)")
    database.execute(f"SELECT _n FROM raw WHERE {found.sql}", found.parameters).fetchall()


@pytest.mark.parametrize(
    "hostile",
    [
        "'; DROP TABLE raw; --", "x' OR '1'='1", '"); SELECT * FROM read_text(\'/etc/passwd\'); --',
        "$w0", "c0", "\x00", "%s", "{c0}", "')) OR true --",
    ],
)  # fmt: skip
def test_hostile_values_and_names_are_data(pick, hostile):
    rows = [{"v": "plain", hostile: "here"}, {"v": hostile}]
    value = quote(Value(hostile, quoted=True))
    assert pick(rows, f"v = {value}") == [1]
    if "`" not in hostile:
        assert pick(rows, f"`{hostile}` = here") == [0]


def test_the_meaning_of_a_scan(tmp_path):
    path = tmp_path / "log"
    lines = [{"n": i, "s": f"x{i}", "ok": i % 2 == 0, "time": BEGIN + i} for i in range(200)]
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    with open_log.scanned(str(path), 30, 1) as table:
        found = interpret.meaning_of(table)
    assert (found.numbers["n"], found.numbers["time"]) == ("BIGINT", "BIGINT")
    assert "s" not in found.numbers
    assert found.truths == {"ok"}
    assert found.last is not None
    assert BEGIN + 190 <= found.last <= BEGIN + 199
