"""From words to places: `--on`, lists, files, patterns, inventories."""

from __future__ import annotations

import json

import pytest

from locard.investigate import places
from locard.model.errors import UsageError
from locard.model.place import HERE, Place, typed_at


def test_where_a_target_runs():
    assert places.asked("pid/7") == places.Asked("pid/7", HERE, "pid/7")
    web = Place("host/web-1", "ssh")
    assert places.asked("unit/pay.service", web).place == web
    assert places.asked("host/anna@web-1") == places.Asked(
        "host/anna@web-1", Place("host/anna@web-1", "ssh"), "host/local"
    )
    assert places.asked("host/localhost").place is HERE
    assert places.place_of("container/pay").transport == "docker"


@pytest.mark.parametrize("ref", ["web-1", "host/", "pod/x", "ssh/web-1"])
def test_what_is_no_place(ref):
    with pytest.raises(UsageError):
        places.place_of(ref)


def test_a_host_is_not_reached_from_another_one():
    with pytest.raises(UsageError, match="do not go together"):
        places.asked("host/web-1", Place("host/jump", "ssh"))


def test_a_list_a_file_and_ranges(tmp_path):
    assert places.hosts("a,b , host/c,a") == ("a", "b", "c")
    file = tmp_path / "hosts"
    file.write_text(
        "# ours\nweb-1 ansible_host=10.0.0.1\n[db]\ndb[01:03].x ; three\n[db:vars]\nuser=anna\n"
    )
    assert places.hosts(str(file)) == ("web-1", "db01.x", "db02.x", "db03.x")


def test_a_pattern_over_the_users_own_configuration(tmp_path):
    (tmp_path / "more").write_text("Host web-3\n")
    config = tmp_path / "config"
    config.write_text(
        f"Include {tmp_path}/more\nHost web-1 web-2\n  User x\nHost *\n  Port 22\nHost=db-1 !web-9\n"
    )
    assert places.hosts("web-*", config) == ("web-3", "web-1", "web-2")
    assert places.hosts("db-?,x", config) == ("db-1", "x")
    with pytest.raises(UsageError, match="no host fits"):
        places.hosts("nothing-*", config)


def test_an_ansible_inventory(tmp_path):
    data = {"_meta": {"hostvars": {"web-1": {}}}, "web": {"hosts": ["web-1", "web-2"]}, "all": {}}
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(data))
    assert places.hosts(str(file)) == ("web-1", "web-2")
    file.write_text("{no json")
    with pytest.raises(UsageError, match="no list of hosts"):
        places.hosts(str(file))


def test_a_target_on_many_hosts_has_a_name_of_its_own():
    one, two = places.of_hosts(("a", "b"), "unit/pay.service")
    assert (one.label, two.label) == ("unit/pay.service on host/a", "unit/pay.service on host/b")
    (host,) = places.of_hosts(("a",))
    assert (host.label, host.there) == ("host/a", "host/local")


@pytest.mark.parametrize(
    ("command", "place", "typed"),
    [
        ("locard logs /x.log", "host/web-1", "locard logs /x.log --on host/web-1"),
        ("locard logs /x.log", "host/local", "locard logs /x.log"),
        ("locard investigate host/web-1", "host/web-1", "locard investigate host/web-1"),
        ("ss -tn 'a b'", "host/web-1", "ssh web-1 'ss -tn '\"'\"'a b'\"'\"''"),
        ("cat /x", "container/pay", "docker exec pay cat /x"),
        ("cat /x", "pod/pay-1/app", "kubectl exec pay-1 -- cat /x"),
    ],
)
def test_commands_as_they_are_typed_here(command, place, typed):
    assert typed_at(command, place) == typed
