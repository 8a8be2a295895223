"""Slicing a log: the records that an expression picks, counts by field, one request, free SQL.

Answers are rows of text as the log has it, except the counts and what `--sql` returns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.logs.ask.coded_records import counted
from locard.logs.ask.typed_columns import typed_columns
from locard.logs.ask.where_sql import Condition, condition
from locard.logs.fields.role_names import is_id
from locard.model.errors import SourceUnreadableError, UsageError
from locard.where.parse import parse
from locard.where.syntax import Compare, Field, Some, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from locard.logs.ask.log_view import Sheet
    from locard.logs.fields.meaning import Meaning
    from locard.where.syntax import Node
    from locard.where.times import Clock

MOST_ROWS = 1_000_000  # of --sql, which stand in the memory
_ROWS_AT_ONCE = 5000
_SERVER_ERROR = 500
DEFAULT_WINDOW_S = 30.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Times are Unix time, `window_s` reaches that far to both sides of `around`."""

    text: str = ""  # of `--where`
    where: Node | None = None
    select: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    top: int | None = None
    sample: int | None = None
    seed: int = 0
    around: float | None = None
    window_s: float = DEFAULT_WINDOW_S
    since_s: float | None = None
    trace: str | None = None

    @classmethod
    def of(cls, text: str | None, **more: Any) -> Question:
        """With the expression parsed; raises UsageError."""
        return cls(text=text or "", where=None if text is None else parse(text), **more)


@dataclass(slots=True)
class Answer:
    """Rows with their columns. `whole` is False where a record shows only the fields it has.

    `kinds` says for each column whether its texts are numbers, truths, text or JSON ("typed" for values
    that are no text). `matched` is known once all rows were read.
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]
    whole: bool = True
    matched: int = 0
    typed_sql: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Query:
    """SQL in the making, with its parameters."""

    sheet: Sheet
    tests: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def add(self, found: Condition) -> None:
        self.tests.append(found.sql)
        self.parameters.update(found.parameters)

    @property
    def where(self) -> str:
        return " AND ".join(self.tests) or "true"

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        import duckdb  # noqa: PLC0415 - see table.connect

        try:
            cursor = self.sheet.db.execute(sql, self.parameters)
            while chunk := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from chunk
        except duckdb.OutOfMemoryException as error:
            raise too_large(self.sheet.source) from error


def too_large(source: str) -> SourceUnreadableError:
    """The error for a question that needs more than the memory cap."""
    return SourceUnreadableError(
        f"the answer over {source} does not fit into the memory cap",
        "it sorts or groups too many different values",
        "Ask for less: --where, fewer --by fields, or a shorter --since.",
    )


def _query(sheet: Sheet, question: Question, clock: Clock) -> _Query:
    """The conditions that every kind of answer shares."""
    query = _Query(sheet)
    meaning = sheet.meaning
    if question.where is not None:
        query.add(condition(question.where, meaning, clock, question.text))
    if question.around is not None:
        low, high = question.around - question.window_s, question.around + question.window_s
        query.add(
            Condition(
                f"{_time(sheet)} BETWEEN $around_low AND $around_high",
                {"around_low": low, "around_high": high},
            )
        )
    if question.since_s is not None and meaning.last is not None:
        query.add(
            Condition(f"{_time(sheet)} >= $since", {"since": meaning.last - question.since_s})
        )
    if question.trace is not None:
        query.add(Condition(_trace(sheet), {"trace": question.trace}))
    return query


def _time(sheet: Sheet) -> str:
    sql = sheet.meaning.time_sql()
    if sql is None:
        raise UsageError(
            f"{sheet.source} has no time",
            "no field of it was recognised as the time of a record",
            "Ask by another field: --where 'field ~ …'",
        )
    return f"({sql})"


def _trace(sheet: Sheet) -> str:
    """A record belongs to the request if one of its id fields says so."""
    meaning = sheet.meaning
    columns = [column for name, column in meaning.columns.items() if is_id(name)]
    role = meaning.expressions.get("trace_id")
    if role and role not in columns:
        columns.append(role)
    if not columns:
        raise UsageError(
            f"{sheet.source} has no trace id",
            "none of its fields is one",
            "Ask with --where instead.",
        )
    # A single comparison is looked up in the Parquet file before other columns are read; one of values
    # that are kept as ids need not make a text of each.
    tests = " OR ".join(
        f"({column}_kept = TRY_CAST($trace AS UUID) AND {column} = $trace)"
        if column in sheet.stored and sheet.stored[column].kind == "ids"
        else f"{column} = $trace"
        for column in columns
    )
    return tests if len(columns) == 1 else f"({tests})"


def _chosen(sheet: Sheet, question: Question, clock: Clock) -> tuple[_Query, str]:
    """The query of the records that are asked for, and its SQL from FROM on."""
    query = _query(sheet, question, clock)
    order = "_n"
    if question.trace is not None and sheet.meaning.time_sql():
        order = f"{_time(sheet)}, _n"
    relation = f"{sheet.relation} WHERE {query.where}"
    if question.sample is not None:
        query.parameters.update(seed=question.seed, sample=question.sample)
        relation = f"(FROM {relation} ORDER BY hash(_n, $seed), _n LIMIT $sample)"
    limit = ""
    if question.top is not None:
        query.parameters["top"] = question.top
        limit = " LIMIT $top"
    return query, f" FROM {relation} ORDER BY {order}{limit}"


def numbers(sheet: Sheet, question: Question, clock: Clock, most: int) -> list[int] | None:
    """The lines of the records that are asked for, in their order, from 0; None if they are more than `most`."""
    query, rest = _chosen(sheet, question, clock)
    found = [n for (n,) in query.rows(f"SELECT _n{rest}")]
    return found if len(found) <= most else None


def records(sheet: Sheet, question: Question, clock: Clock) -> Answer:
    """The records themselves: in the order of the log, those of a trace in the order of time."""
    query, rest = _chosen(sheet, question, clock)
    names = _selected(sheet, question)
    meaning = sheet.meaning
    columns = [meaning.json(found) or meaning.column(found) for _, found in names]
    picks = ", ".join(columns) or "NULL"
    typed = typed_columns(sheet.meaning, names)
    return _counted(
        Answer(
            columns=tuple(name for name, _ in names),
            kinds=tuple(_kind(sheet.meaning, found) for _, found in names),
            rows=query.rows(f"SELECT {picks}{rest}"),
            whole=bool(question.select),
            typed_sql=f"SELECT {', '.join(c.sql for c in typed) or 'NULL'}{rest}",
            parameters=query.parameters,
        )
    )


def _selected(sheet: Sheet, question: Question) -> list[tuple[str, str]]:
    """How each column is headed, and its field."""
    if not question.select:
        return [(name, name) for name in every_field(sheet.meaning)]
    return [
        (name.removeprefix("."), sheet.meaning.resolve(Field(name))) for name in question.select
    ]


def every_field(meaning: Meaning) -> tuple[str, ...]:
    """All fields, those that are never more than an array or object last."""
    return (*meaning.columns, *(name for name in meaning.raws if name not in meaning.columns))


def _kind(meaning: Meaning, name: str) -> str:
    if meaning.json(name):
        return "json"
    if meaning.number_type(name):
        return "number"
    return "truth" if name in meaning.truths else "text"


def _counted(answer: Answer) -> Answer:
    """Count the rows as they pass."""

    def counting(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            answer.matched += 1
            yield row

    answer.rows = counting(answer.rows)
    return answer


def error_test(meaning: Meaning) -> Node | None:
    """What an error is, by status and level, as an expression; None where neither is there."""
    tests: list[Node] = []
    if "status" in meaning.roles:
        about = Field(meaning.roles["status"])
        tests.append(Compare(about, ">=", Value(str(_SERVER_ERROR))))
    if "level" in meaning.roles:
        tests.append(Compare(Field(meaning.roles["level"]), ">=", Value("error")))
    if not tests:
        return None
    return Some(tuple(tests)) if len(tests) > 1 else tests[0]


def counts(sheet: Sheet, question: Question, clock: Clock) -> Answer:
    """How many records each value of the `by` fields has, most first.

    With an expression, also out of how many and their share; without one, how many are errors.
    """
    asked = Question(
        around=question.around,
        window_s=question.window_s,
        since_s=question.since_s,
        trace=question.trace,
    )
    query = _query(sheet, asked, clock)
    meaning = sheet.meaning
    found = [meaning.resolve(Field(name)) for name in question.by]
    keys = [meaning.json(name) or meaning.column(name) for name in found]
    error = error_test(meaning)
    test = Condition()
    if question.where is not None:
        test = condition(question.where, meaning, clock, question.text)
    elif error is not None:
        test = condition(error, meaning, clock, prefix="e")
    query.parameters.update(test.parameters)
    relation, every = counted(sheet, query.where, test.sql, *keys)
    some = f"count(*) FILTER ({test.sql})"
    if relation != sheet.relation:
        some = f"coalesce(sum(many) FILTER ({test.sql}), 0)::BIGINT"
    columns: tuple[str, ...] = ("count",)
    count, share = every, ""
    if question.where is not None:
        count, share, columns = some, f", {every}, {some} / {every}", ("count", "of", "share")
    elif error is not None:
        share, columns = f", {some}, {some} / {every}", ("count", "errors", "error_rate")
    groups = ", ".join(keys)
    limit = ""
    if question.top is not None:
        query.parameters["top"] = question.top
        limit = " LIMIT $top"
    sql = (
        f"SELECT {count} AS n{share}, {groups} FROM {relation} WHERE {query.where} "  # noqa: S608 - columns are ours
        f"GROUP BY {groups} HAVING n > 0 ORDER BY n DESC, {groups}{limit}"
    )
    names = tuple(name.removeprefix(".") for name in question.by)
    kinds = ("typed",) * len(columns) + tuple(_kind(meaning, name) for name in found)
    return _counted(
        Answer(
            columns=(*columns, *names),
            kinds=kinds,
            rows=query.rows(sql),
            typed_sql=sql,
            parameters=query.parameters,
        )
    )


def sql(sheet: Sheet, text: str) -> Answer:
    """The answer to a SELECT over the view `log`; raises UsageError.

    One statement that only reads, in a transaction that only reads, in a database that reaches no
    file and whose configuration is locked.
    """
    import duckdb  # noqa: PLC0415 - see table.connect

    typed = typed_columns(sheet.meaning, ((name, name) for name in every_field(sheet.meaning)))
    picks = ", ".join(["_n + 1 AS line", *(column.sql for column in typed)])
    db = sheet.db
    db.execute(f"CREATE OR REPLACE VIEW log AS SELECT {picks} FROM {sheet.relation}")  # noqa: S608 - quoted
    hint = "The view log has: line BIGINT" + "".join(f", {c.label} {c.kind}" for c in typed)
    try:
        statements = duckdb.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("not one SELECT", "only one statement that reads is run", hint)
        columns, rows = _read_only(db, statements[0])
    except duckdb.Error as error:
        why = str(error).partition("\n")[0]
        raise UsageError("the SQL could not be answered", why, hint) from error
    kinds = ("typed",) * len(columns)
    return _counted(Answer(columns, kinds, _bounded(rows), typed_sql=text))


def _bounded(rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows of `--sql`, up to what a screen or a script could want; raises UsageError then."""
    yield from rows[:MOST_ROWS]
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"the SQL gives more than {MOST_ROWS:,} rows",
            "the rest is left out",
            "Add a LIMIT, or write all of them with -o parquet.",
        )


def _read_only(
    db: duckdb.DuckDBPyConnection, statement: duckdb.Statement
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of one statement in a transaction that cannot write."""
    db.execute("BEGIN TRANSACTION READ ONLY")
    try:
        result = db.execute(statement)
        return tuple(str(d[0]) for d in result.description or ()), result.fetchmany(MOST_ROWS + 1)
    finally:
        db.execute("ROLLBACK")


def timed(
    sheet: Sheet, question: Question, clock: Clock
) -> list[tuple[float, dict[str, tuple[Any, str]]]]:
    """Records with their Unix time, each field as its text and kind: to be joined with other logs.

    A record without a time comes first (minus infinity).
    """
    query = _query(sheet, question, clock)
    names = _selected(sheet, question)
    meaning = sheet.meaning
    picks = "".join(f", {meaning.json(found) or meaning.column(found)}" for _, found in names)
    time_sql = sheet.meaning.time_sql() or "NULL"
    sql = f"SELECT {time_sql} AS moment{picks} FROM {sheet.relation} WHERE {query.where} ORDER BY moment, _n"  # noqa: S608 - columns are ours
    lines = []
    for at, *values in query.rows(sql):
        line = {
            head: (value, _kind(sheet.meaning, name))
            for (head, name), value in zip(names, values, strict=True)
            if value is not None
        }
        lines.append((float("-inf") if at is None else float(at), line))
    return lines


def joined(lines: list[dict[str, tuple[Any, str]]], *, whole: bool) -> Answer:
    """Lines of several logs as one answer, over all fields that any of them has."""
    kinds: dict[str, str] = {}
    for line in lines:
        for name, (_, kind) in line.items():
            kinds[name] = kind if kinds.get(name, kind) == kind else "text"
    rows = (tuple(line.get(name, (None, ""))[0] for name in kinds) for line in lines)
    return _counted(Answer(tuple(kinds), tuple(kinds.values()), rows, whole=whole))
