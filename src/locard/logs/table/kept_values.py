"""How the native scanner keeps the values of a field, and the SQL that gives them back.

Few different texts are codes of a dictionary, which is a variable of the connection; numbers, times
and ids are kept as such. Each gives its text back exactly as the log has it.
"""

from __future__ import annotations

from dataclasses import dataclass

_SQL_TYPES = {
    "codes": "USMALLINT",
    "integers": "BIGINT",
    "doubles": "DOUBLE",
    "times": "BIGINT",  # nanoseconds since 1970
    "ids": "UUID",
    "texts": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """One column of the table `cells`.

    `kind` is a key of the table above; `written` says how numbers, times and ids are spelled, as the
    scanner gives it. `codes` is how many texts the dictionary has.
    """

    column: str
    kind: str = "texts"
    written: str = ""
    codes: int = 0

    @property
    def sql_type(self) -> str:
        """The type of the column."""
        return _SQL_TYPES[self.kind]

    @property
    def dictionary(self) -> str:
        """The variable that holds its texts, the first of which has code 1."""
        return f"texts_of_{self.column}"

    @property
    def text(self) -> str:
        """SQL of the text of a value."""
        column, plain = self.column, f"CAST({self.column} AS VARCHAR)"
        match self.kind, self.written:
            case "codes", _:
                return f"getvariable('{self.dictionary}')[{column}]"
            case "doubles", "bare":
                whole = f"CAST(CAST({column} AS BIGINT) AS VARCHAR)"
                return f"CASE WHEN {column} = trunc({column}) THEN {whole} ELSE {plain} END"
            case "times", _:
                return self._time_text()
            case "ids", "plain":
                return f"replace({plain}, '-', '')"
            case "texts", _:
                return column
            case _:
                return plain

    def _time_text(self) -> str:
        middle, point, digits, how, zone, offset_s = self.written.split("\t")
        local = f"{self.column} + {int(offset_s) * 1_000_000_000}" if int(offset_s) else self.column
        moment = f"make_timestamp_ns({local})"
        second = f"%Y-%m-%d{middle}%H:%M:%S"
        if digits == "0":
            text = f"strftime({moment}, '{second}')"
        else:
            text = f"strftime({moment}, '{second}{point}%n')"
            text = f"{text}[1:{20 + int(digits)}]"
            if how == "cut":
                text = f"rtrim(rtrim({text}, '0'), '{point}')"
            elif how == "zero":
                text = f"CASE WHEN {self.column} % 1000000000 = 0 THEN {text}[1:19] ELSE {text} END"
        return f"{text} || '{zone}'" if zone else text

    @property
    def is_value(self) -> bool:
        """Whether something other than text is kept that needs no dictionary."""
        return self.kind in {"integers", "doubles", "times", "ids"}

    @property
    def number(self) -> str | None:
        """SQL of the value as a DOUBLE, of a time as Unix time in s; None where each text has to be read."""
        if self.kind in {"integers", "doubles"}:
            return f"CAST({self.column} AS DOUBLE)"
        if self.kind == "times":
            return f"{self.column} / 1e9"
        return None

    def from_text(self, text: str) -> str:
        """SQL that brings a text of this kind into it: for values that were kept otherwise before."""
        if self.kind == "times":
            # DuckDB reads the offset of a time and then ignores it.
            *_, zone, offset_s = self.written.split("\t")
            plain = (
                f"replace(replace({text}, '{zone}', ''), ',', '.')"
                if zone
                else f"replace({text}, ',', '.')"
            )
            shift = f" - {int(offset_s) * 1_000_000_000}" if int(offset_s) else ""
            return f"epoch_ns(CAST({plain} AS TIMESTAMP_NS)){shift}"
        return f"CAST({text} AS {self.sql_type})"
