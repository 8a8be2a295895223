from __future__ import annotations

import pytest
from formats_support import records

from locard.logs.fields import given_roles
from locard.model.errors import UsageError


def test_flags():
    assert given_roles.parse_flags(["status=rc", "time=a=b"]) == {"status": "rc", "time": "a=b"}
    for bad in ("status", "status=", "colour=x"):
        with pytest.raises(UsageError):
            given_roles.parse_flags([bad])


def test_a_service_comes_before_all_services(tmp_path):
    path = tmp_path / "fields.toml"
    path.write_text('["*"]\nstatus = "rc"\ntrace_id = "missing"\n[pay]\nstatus = "code"\n')
    assert given_roles.given_roles(["pay"], ["rc", "code"], path) == {"status": "code"}
    assert given_roles.given_roles(["web"], ["rc", "code"], path) == {"status": "rc"}
    assert given_roles.given_roles(["web"], [], tmp_path / "none.toml") == {}


@pytest.mark.parametrize("text", ["status = [", '[pay]\ncolour = "x"\n', 'pay = "x"\n', "\xff"])
def test_a_bad_file_says_what_is_wrong(tmp_path, text):
    path = tmp_path / "fields.toml"
    path.write_text(text, "latin-1")
    with pytest.raises(UsageError) as raised:
        given_roles.given_roles(["pay"], ["x"], path)
    assert raised.value.next_step


def test_a_given_field_beats_the_name_and_says_so():
    lines = [
        '{"time":1763812800,"status":200,"rc":503}',
        '{"time":1763812801,"status":200,"rc":504}',
    ]
    rows, found, _ = records(lines, given={"status": "rc"})
    assert [r["role:status"] for r in rows] == [503, 504]
    assert next(r for r in found.found if r.role == "status").reason.startswith("it was given")


@pytest.mark.parametrize("given", [{"status": "rcc"}, {"colour": "rc"}, {"time": "msg"}])
def test_what_cannot_be_given(given):
    with pytest.raises(UsageError) as raised:
        records(['{"time":1763812800,"rc":503,"msg":"x"}'], given=given)
    assert raised.value.why
