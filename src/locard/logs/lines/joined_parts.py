"""Records whose parts stand in lines that follow each other, each in a format of its own (`TextFormat.joined`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.lines.added_fields import SideTable


class JoinedParts:
    """Remembers which rows of a table are parts; `join` makes one record of each run of them."""

    def __init__(self, records: SideTable) -> None:
        """`records` has the parts, a row each."""
        self._records = records
        self._any = False

    def add(self, source: str, *, begins: bool) -> None:
        """The rows (n, ...) of the SQL text `source` are parts; they may begin a record even below another part."""
        db = self._records.table.db
        if not self._any:
            db.execute("CREATE TEMP TABLE parts (n BIGINT, begins BOOLEAN)")
            self._any = True
        db.execute(f"INSERT INTO parts SELECT n, {begins} FROM {source}")  # noqa: S608 - our own words

    def join(self) -> None:
        """The last part of a run gets what the others say: what stands below it goes on with it.

        A field that several parts have keeps the highest text: a full time before Unix time.
        """
        if not self._any:
            return
        table, name = self._records.table, self._records.name
        columns = self._records.columns.values()
        picks = "".join(f", max({c}) AS {c}" for c in columns)
        table.db.execute(f"""
            CREATE TEMP TABLE whole_records AS
            SELECT max(_n) AS _n{picks}
            FROM {name} JOIN (
              SELECT n, sum(CASE WHEN begins OR gap THEN 1 ELSE 0 END) OVER (ORDER BY n) AS run
              FROM (SELECT n, begins, coalesce(n - lag(n) OVER (ORDER BY n) > 1, true) AS gap FROM parts)
            ) ON _n = n GROUP BY run;
            DELETE FROM {name} WHERE _n IN (SELECT n FROM parts);
            INSERT INTO {name} BY NAME FROM whole_records""")  # noqa: S608 - columns are ours
        parts, whole = table.one(
            "SELECT (SELECT count(*) FROM parts), (SELECT count(*) FROM whole_records)"
        )
        self._records.rows -= parts - whole
        table.db.execute("DROP TABLE parts; DROP TABLE whole_records")
