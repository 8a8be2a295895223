"""Endpoints as the scanner makes them are those that the SQL makes."""

from __future__ import annotations

import json
import random

import pytest

from locard.logs.fields.endpoints import endpoint_sql
from locard.logs.scan import native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)

PATHS = [
    "/", "//", "/orders/8123/pay", "/v1/utf8/x9", "/assets/app.1753775.js", "/a.1234.5678/b", "/u/ab12",
    "/user-123", "/user_12", "/abcdefghijklm123", "/abcdefghijkl123", "/deadbeef", "/deadbeef1", "/DEADBEEF0",
    "/123e4567-e89b-12d3-a456-426614174000", "/123e4567-e89b-12d3-a456-42661417400", "/123E4567-E89B-12D3-A456-426614174000",
    "/abcdefghijklmnop", "/abcdefghijklmno1", "/abc_def=ghi-jkl1", "/x?y=/1/2", "/x#y?z", "/a?b\nc", "/a?b\nc?d",
    "/a\nb#c", "/é1234", "/\u0662\u0663\u0664\u0665", "/a HTTP/1.1", "/a HTTP/1.1 HTTP/2", "/?", "/#",
    "GET /orders/1 HTTP/1.1", "POST  /a/1", "get /1", "GET", "GET ", "G T /1", "http://h", "http://h:80/1/x",
    "https://h/1", "PUT https://u@h/12?q", "HTTPS://h/1", "http:///1", "http://h\n/1", "ftp://h/1", "/1/2/3",
    "/orders/{id}/1", "/%7B1%7D", "/a b1234c", "/12 34", "/0", "/00012x", "/x1234y5678z", "", "*", "1234",
    "/:1234", "/A1B2C3D4E5F6G7H8", "/a\0001234", "/id123456789012", "/" + "a" * 5000 + "1", "/" + "1" * 5000,
]  # fmt: skip
PARTS = [
    "orders", "v1", "123", "1", "deadbeef", "DEADBEEF01", "user-4711", "abc_999", "a.1234.js", "é", "x" * 16,
    "x" * 15 + "1", "-", "_", "=", "", " ", "\n", "?", "#", " HTTP/", "http://", "GET ", "{id}", "%20", "0" * 7,
    "123e4567-e89b-12d3-a456-426614174000",
]  # fmt: skip


def path(rng):
    text = "".join(
        rng.choice(["/", "/", "/", ""]) + rng.choice(PARTS) for _ in range(rng.randrange(8))
    )
    if rng.random() < 0.3:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice("aF9/-_= ?#\n.é") + text[at:]
    return text if rng.random() < 0.1 else "/" + text


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_the_sql(seed):
    rng = random.Random(seed)
    # As many that are none as may be among paths.
    paths = list(dict.fromkeys(path(rng) for _ in range(20_000)))
    paths[1500:1500] = PATHS
    reader = native_engine.NativeEngine(table.Table(table.connect(1), "native"))
    reader.add("\n".join(json.dumps({"path": p}) for p in paths).encode())
    reader.finish()
    loaded = reader.table
    column = loaded.columns["path"]
    shape = loaded.endpoint(column)
    assert shape is not None
    rows = loaded.rows(
        f"SELECT {column}, getvariable('{shape[0]}')[{shape[1]}], {endpoint_sql(column)} FROM raw_kept"
    )
    assert len(rows) == len(paths)
    assert [row for row in rows if row[1] != row[2]] == []
    assert len({endpoint for _, endpoint, _ in rows}) > 1000
