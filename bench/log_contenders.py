"""Errors by upstream (in text: by logger) with DuckDB alone: `bench/log_contenders.py KIND LOG`.

The whole command that a person would write for it, for the logs of bench/gen_logs.py: only the two
columns of JSON lines, lines that are none left out; lines of text by a regular expression. Prints the
answer as JSON.
"""

from __future__ import annotations

import json
import sys

import duckdb

JSON_LINES = """
    SELECT upstream, count(*) FROM read_json($log, format = 'newline_delimited', ignore_errors = true,
      columns = {level: 'VARCHAR', upstream: 'VARCHAR'})
    WHERE level = 'error' AND upstream IS NOT NULL GROUP BY ALL"""
TEXT_LINES = r"""
    SELECT logger, count(*) FROM (
      SELECT regexp_extract(line, '^\S+ \S+ ERROR +\[[^\]]*\] (\S+) - ', 1) AS logger
      FROM read_csv($log, columns = {line: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false))
    WHERE logger <> '' GROUP BY ALL"""

if __name__ == "__main__":
    _, kind, log = sys.argv
    sql = TEXT_LINES if kind == "text" else JSON_LINES
    print(json.dumps(dict(duckdb.execute(sql, {"log": log}).fetchall())))
