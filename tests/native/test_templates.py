"""Message templates, mined in the stream."""

from __future__ import annotations

import random

import pytest

from locard.logs.scan import native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def mined(messages):
    from locard._native import Templates

    templates = Templates()
    for message in messages:
        templates.add(message)
    return templates.found()


def texts(messages):
    return {text: count for text, count, _ in mined(messages)}


@pytest.mark.parametrize(
    ("messages", "template"),
    [
        ([f"took {n} ms" for n in (3, 44, 5.5)], "took <*>"),
        (["sent 12 B to 10.0.0.1:80", "sent 4 KB to 10.0.0.2:81"], "sent <*> to <*>"),
        (["read /etc/a of job_7", "read /var/b of job_8"], "read <*> of <*>"),
        (["parts [1, 2, 3] lost", "parts [4] lost"], "parts [<*>] lost"),
        (["up since Sat Jun 11 03:28:22 2005", "up since Mon Jul 4 2005"], "up since <*>"),
        (["mode=fast n=1", "mode=slow n=2"], "mode=<*> n=<*>"),
        ([f"no {w} for table" for w in ("index", "row", "key", "lock")], "no <*> for table"),
        (
            [f"cannot open the file: {e}" for e in ("Permission denied", "Is a directory", "Busy")]
            + ["cannot open the file: No such file or directory"],
            "cannot open the file: <*>",
        ),
        (
            [f'he asked for "{q}" again' for q in ("x y", "z", "a b c", "k l", "m")],
            'he asked for "<*>" again',
        ),
    ],
)
def test_what_varies_is_masked(messages, template):
    assert texts(messages) == {template: len(messages)}


@pytest.mark.parametrize(
    "messages",
    [
        ["connection opened", "connection closed"],
        ["started", "stopped", "paused", "failed", "running"],
        ["a=1", "b=1", "c=1", "d=1", "e=1"],
        ["lock taken by worker", "lock taken"],
    ],
)
def test_what_says_something_else_stays_apart(messages):
    assert len(mined(messages)) == len(messages)


PEOPLE = [
    "ann",
    "bob",
    "cem",
    "dov",
    "eva",
    "fay",
    "gil",
    "hans",
    "ines",
    "jo",
    "kim",
    "lea",
    "mo",
    "nia",
    "ola",
    "pia",
    "quin",
    "rui",
]


def test_two_words_may_vary_at_once():
    rng = random.Random(4)
    messages = [
        f"mail for user {rng.choice(PEOPLE)} bounced at {rng.choice(PEOPLE)}" for _ in range(60)
    ]
    assert texts(messages) == {"mail for user <*> bounced at <*>": 60}


def test_a_stray_line_splits_no_group():
    messages = [f"mail for user {PEOPLE[i % 18]} bounced twice" for i in range(300)]
    found = texts([*messages[:150], "mail for nobody is kept here", *messages[150:]])
    assert found == {"mail for user <*> bounced twice": 300, "mail for nobody is kept here": 1}


@pytest.mark.parametrize("name", ["eth0", "ipv6", "v1", "utf8", "md5"])
def test_a_constant_keeps_its_digits(name):
    assert texts([f"link {name} of {n} is up" for n in (11, 222, 333)]) == {
        f"link {name} of <*> is up": 3
    }


def test_names_with_numbers_vary_where_they_do():
    assert texts([f"worker{n} took the next task" for n in range(12)]) == {
        "<*> took the next task": 12
    }
    # Endless combinations of them are numbers after a while.
    many = texts(
        [
            f"worker{a} gave node{b} what pod{c} had"
            for a in range(20)
            for b in range(20)
            for c in range(20)
        ]
    )
    assert many == {"<*> gave <*> what <*> had": 8000}


def test_more_names_than_are_kept_are_one_template():
    from locard._native import Templates

    rng = random.Random(5)
    templates = Templates()
    for _ in range(20_000):
        name = "".join(rng.choices("abcdefghij", k=8))
        templates.add(f"session of {name} was opened by the gate")
    assert [(text, count) for text, count, _ in templates.found()] == [
        ("session of <*> was opened by the gate", 20_000)
    ]
    assert templates.left_out == 0


def test_a_stray_line_of_more_words_splits_no_group():
    rng = random.Random(3)
    stray = [
        "synchronized to LOCAL(0), stratum 10 of pool",
        "synchronized to pool?a=b&c=d, stratum 4 of pool",
    ]
    lines = [
        f"synchronized to 10.0.{rng.randrange(99)}.7, stratum {rng.randrange(9)} of pool"
        for _ in range(300)
    ]
    assert texts([*lines, *stray]) == {"synchronized to <*>, stratum <*> of pool": 302}
    other = "synchronized to nobody"
    assert texts([*lines, other])[other] == 1


def test_what_is_done_and_states_stay_apart():
    rng = random.Random(3)
    words = {"vm {} by host {}": ["Started", "Paused", "Resumed", "Stopped"],
             "task {} moved on to host {}": ["RUNNING", "UNASSIGNED", "JOB_SETUP"],
             'client sent "{} /v2/{}" to us': ["GET", "POST", "DELETE"]}  # fmt: skip
    lines = [
        form.format(word, rng.randrange(999))
        for form, some in words.items()
        for word in some
        for _ in range(40)
    ]
    found = texts(lines)
    assert len(found) == 10
    assert set(found.values()) == {40}


def test_comparisons_with_numbers_and_hardware_addresses_are_values():
    lines = [f"closed after {x} sec" for x in ("<1", "12", ">90")]
    assert texts(lines) == {"closed after <*>": 3}
    lines = [
        f"station changed to {x} now"
        for x in ("bc:5c:50:15:36:03", "5c:bc:ad:15:36:bc", "00:a2:ee:1a:71:8c")
    ]
    assert texts(lines) == {"station changed to <*> now": 3}


def test_rows_of_arrow_are_mined():
    import duckdb

    from locard._native import Templates

    db = duckdb.connect()
    db.execute("SET threads = 1")
    query = """SELECT range AS _n, CASE WHEN range % 3 > 0 THEN
               repeat('x', (range % 40)::INT) || ' for worker ' || range || ' is late é' END AS m FROM range(5000)"""
    rows = db.execute(query).fetchall()
    one, two = Templates(), Templates()
    expected = {n: one.add(m) + 1 for n, m in rows if m is not None}
    for settings in (
        "",
        "SET arrow_large_buffer_size = true",
        "SET produce_arrow_string_view = true",
    ):
        if settings:
            db.execute(settings)
        two = Templates()
        batch = two.add_rows(db.sql(query))
        db.register("mined", batch)
        assert dict(db.execute("SELECT _n, said FROM mined").fetchall()) == expected
        assert two.found() == one.found()
        db.unregister("mined")


def test_rows_of_another_make_are_refused():
    import duckdb

    from locard._native import Templates

    db = duckdb.connect()
    with pytest.raises(RuntimeError, match="numbers and messages"):
        Templates().add_rows(db.sql("SELECT 'a' AS m"))
    with pytest.raises(duckdb.Error):
        Templates().add_rows(db.sql("SELECT range, error('no')::VARCHAR FROM range(3)"))
    assert Templates().add_rows(db.sql("SELECT range, 'a' FROM range(3)")).rows == 3


def test_each_message_counts_and_the_example_is_one_of_them():
    rng = random.Random(1)
    messages = [
        rng.choice(["served /x/{} in {} ms", "user {} paid {}"]).format(i, i * 7)
        for i in range(500)
    ]
    found = mined(messages)
    assert [text for text, _, _ in found] == ["served <*> in <*>", "user <*> paid <*>"] or len(
        found
    ) == 2
    assert sum(count for _, count, _ in found) == 500
    assert all(example in messages for _, _, example in found)
    assert found == sorted(found, key=lambda f: -f[1])


def test_endless_variety_is_bounded_and_said():
    from locard._native import Templates

    rng = random.Random(2)
    templates = Templates()
    for _ in range(30_000):
        templates.add(" ".join("".join(rng.choices("abcdefgh", k=6)) for _ in range(3)))
    assert len(templates.found()) <= 8192
    assert templates.left_out > 0
    assert sum(count for _, count, _ in templates.found()) + templates.left_out == 30_000


def test_hostile_messages():
    messages = [
        "",
        " ",
        "\x1f\x1f",
        "*",
        "<*>",
        "(((((",
        "))))",
        "\u202e\U0001f600",
        "é" * 5000,
        "x" * 10**6,
    ]
    found = mined(messages)
    assert sum(count for _, count, _ in found) == len(messages)


PIECES = (
    *"=:,;()[]{}<>|@!?'\" \t\0\x1f/\\.-+*%aF09",
    *(
        "Mon",
        "AM",
        "CEST",
        "ms",
        "KB",
        "minutes",
        "a/b",
        "/x",
        "C:\\d\\e",
        "deadbeef",
        "fe:80",
        "...",
    ),
    *("user", "\u00e9", "\u202e", "\U0001f600", "w" * 40, "x" * 70),
)
BESIDE = (0, 1, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 95, 96, 97, 127, 128, 129, 1023, 1024, 1025)


def dirty_messages(rng, count):
    """As bytes, many of them not UTF-8, of lengths beside those of the vectors."""
    for _ in range(count):
        size = rng.choice(BESIDE) if rng.random() < 0.5 else rng.randrange(200)
        kind = rng.random()
        if kind < 0.2:
            yield rng.randbytes(size)
        else:
            pieces = rng.choices(PIECES, k=size)
            yield ("" if kind < 0.5 else " ").join(pieces).encode()[:size]


def test_vectors_change_no_skeleton():
    from locard._native import Templates

    rng = random.Random(3)
    for _ in range(20):
        fastest, plain = Templates(), Templates(plain=True)
        for message in dirty_messages(rng, 500):
            assert fastest.add(message) == plain.add(message), message
        assert fastest.groups() == plain.groups()


def engine(*blocks, only=(), threads=1):
    db = table.connect(threads)
    reader = native_engine.NativeEngine(table.Table(db, "native"), only=only)
    for block in blocks:
        reader.add(block)
    reader.finish()
    return reader


def test_they_are_mined_while_a_log_is_read():
    lines = [b'{"msg":"took %d ms","path":"/x/%d"}' % (i, i) for i in range(5000)]
    reader = engine(b"\n".join(lines[:4000]), b"\n".join(lines[4000:]))
    assert reader.templates() == [("took <*>", 5000, "took 0 ms")]
