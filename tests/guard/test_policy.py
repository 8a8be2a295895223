import os

import pytest

from locard.guard.command import Impact
from locard.guard.policy import read_policy
from locard.model.errors import NotPermittedError, UsageError
from locard.model.place import Place


@pytest.fixture
def write(tmp_path):
    def put(text, mode=0o644):
        path = tmp_path / "policy.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return put


def read(path):
    return read_policy(path, owner=os.geteuid())


def test_no_file_caps_nothing(tmp_path):
    assert read(tmp_path / "none").cap("pid/1", "root")[0] is Impact.INJECTS


def test_the_strictest_fitting_limit_holds(write):
    policy = read(
        write(
            'max_impact = "pauses"\n'
            '[[limit]]\ntarget = "unit/payment*"\nmax_impact = "samples"\n'
            '[[limit]]\nuser = "alice"\nmax_impact = "reads"\n'
        )
    )
    assert policy.cap("pid/1", "bob")[0] is Impact.PAUSES
    assert policy.cap("unit/payment.service", "bob")[0] is Impact.SAMPLES
    assert policy.cap("unit/payment.service", "alice")[0] is Impact.READS
    assert "policy.toml" in policy.cap("pid/1", "bob")[1]


def test_a_policy_that_others_may_write_is_no_policy(write):
    with pytest.raises(NotPermittedError, match="root only"):
        read(write('max_impact = "reads"', mode=0o666))
    with pytest.raises(NotPermittedError):
        read_policy(write(""), owner=os.geteuid() + 1)


@pytest.mark.parametrize(
    "text",
    ["max_impact = 3", 'max_impact = "gentle"', "[[limit]]", "x = 1", "= =", "limit = 3", "\0"],
)
def test_a_broken_policy_stops_locard(write, text):
    with pytest.raises(UsageError, match="is not valid"):
        read(write(text))


@pytest.mark.parametrize(
    "place",
    [
        Place("host/db-1", "ssh"),
        Place("host/root@db-1", "ssh"),
        Place("host/x", "ssh", (("address", "db-1"),)),
    ],
)
def test_a_limit_of_a_host_holds_for_every_login(write, place):
    policy = read(write('[[limit]]\nplace = "host/db-*"\nmax_impact = "reads"\n'))
    assert policy.cap("pid/1", "u", place)[0] is Impact.READS
    assert policy.cap("pid/1", "u", Place("host/web", "ssh"))[0] is Impact.INJECTS


def test_a_limit_for_a_place_and_a_namespace(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        '[[limit]]\nplace = "host/db-*"\nmax_impact = "reads"\n'
        '[[limit]]\nnamespace = "prod"\nmax_impact = "samples"\n'
    )
    policy = read_policy(path, owner=os.getuid())
    db, web = Place("host/db-1", "ssh"), Place("host/web-1", "ssh")
    pod = Place("pod/x/app", "kubectl", (("namespace", "prod"),))
    assert policy.cap("pid/1", "u", db)[0] is Impact.READS
    assert policy.cap("pid/1", "u", web)[0] is Impact.INJECTS
    assert policy.cap("pid/1", "u", pod)[0] is Impact.SAMPLES
