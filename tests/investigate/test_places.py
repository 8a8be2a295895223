"""From words to places: `--on`, lists, files, patterns, inventories."""

from __future__ import annotations

import concurrent.futures
import json
import os

import pytest

from locard.investigate import places
from locard.model.errors import UsageError
from locard.model.place import HERE, Place, typed_at
from locard.model.wording import with_flags
from locard.transport import ssh


def names(text, config=None):
    return tuple(place.name for place in places.hosts(text, config))


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
    assert names("a,b , host/c,a") == ("a", "b", "c")
    file = tmp_path / "hosts"
    file.write_text(
        "# ours\nweb-1 ansible_host=10.0.0.1\n[db]\ndb[01:03].x ; three\n[db:vars]\nuser=anna\n"
    )
    assert names(str(file)) == ("web-1", "db01.x", "db02.x", "db03.x")


def test_a_pattern_over_the_users_own_configuration(tmp_path):
    (tmp_path / "more").write_text("Host web-3\n")
    config = tmp_path / "config"
    config.write_text(
        f"Include {tmp_path}/more\nHost web-1 web-2\n  User x\nHost *\n  Port 22\nHost=db-1 !web-9\n"
    )
    assert names("web-*", config) == ("web-3", "web-1", "web-2")
    assert names("db-?,x", config) == ("db-1", "x")
    with pytest.raises(UsageError, match="no host fits"):
        places.hosts("nothing-*", config)


def test_an_ansible_inventory(tmp_path):
    data = {"_meta": {"hostvars": {"web-1": {}}}, "web": {"hosts": ["web-1", "web-2"]}, "all": {}}
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(data))
    assert names(str(file)) == ("web-1", "web-2")
    file.write_text("{no json")
    with pytest.raises(UsageError, match="no list of hosts"):
        places.hosts(str(file))


INI = """
web017 ansible_host=10.9.9.9 ansible_port=2222 ansible_ssh_private_key_file=/k/web
here ansible_connection=local
[db]
db1
db2 ansible_user='carl'
[data:children]
db
[data:vars]
ansible_user = bob
[all:vars]
ansible_user=root
"""


def test_the_connection_is_that_of_the_inventory(tmp_path):
    file = tmp_path / "hosts.ini"
    file.write_text(INI)
    web, here, one, two = places.hosts(str(file))
    assert dict(web.options) == {
        "address": "10.9.9.9",
        "port": "2222",
        "user": "root",
        "key": "/k/web",
    }
    assert here is HERE
    assert (one.option("user"), two.option("user")) == ("bob", "carl")
    argv = ssh.session_argv(web, "0" * 32)
    assert argv[argv.index("--") - 4 : argv.index("--") + 2] == (
        "-oPort=2222", "-oIdentityFile=/k/web", "-l", "root", "--", "10.9.9.9",
    )  # fmt: skip
    values = {"ansible_host": "10.1.1.1", "ansible_port": 22}
    file.write_text(json.dumps({"_meta": {"hostvars": {"a": values}}}))
    (place,) = places.hosts(str(file))
    assert dict(place.options) == {"address": "10.1.1.1", "port": "22"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a[0:9][0:9][0:9][0:9]\n" * 60, "at most"),
        ("a[0:999999999]\n", "at most"),
        ("\n".join(f"a{n}[0:4000]" for n in range(9)), "at most"),
        ("list:x:38:38:Mailing List:/var\n", "is no host"),
        ("alpha:22\n", "a port is given by"),
    ],
)
def test_what_is_no_list_of_hosts(tmp_path, text, why):
    file = tmp_path / "hosts"
    file.write_text(text)
    with pytest.raises(UsageError, match=why):
        places.hosts(str(file))


def test_a_list_comes_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(names, str(pipe))
        pipe.write_text("a\n::1\nb\n")
        assert asked.result(30) == ("a", "::1", "b")


def test_one_of_many_hosts_is_not_named_beside_them():
    with pytest.raises(UsageError, match="do not go together"):
        places.of_hosts(places.hosts("a,b"), "host/c")


def test_a_target_on_many_hosts_has_a_name_of_its_own():
    one, two = places.of_hosts(places.hosts("a,b"), "unit/pay.service")
    assert (one.label, two.label) == ("unit/pay.service on host/a", "unit/pay.service on host/b")
    (host,) = places.of_hosts(places.hosts("a"))
    assert (host.label, host.there) == ("host/a", "host/local")


@pytest.mark.parametrize(
    ("command", "place", "typed"),
    [
        ("locard logs /x.log", "host/web-1", "locard logs /x.log --on host/web-1"),
        ("locard logs /x.log", "host/local", "locard logs /x.log"),
        ("locard investigate host/web-1", "host/web-1", "locard investigate host/web-1"),
        ("ss -tn 'a b'", "host/web-1", "ssh web-1 'ss -tn '\"'\"'a b'\"'\"''"),
        ("cat /x; df", "container/pay", "docker exec pay sh -c 'cat /x; df'"),
        ("cat /x", "pod/pay-1/app", "kubectl exec pay-1 -n shop -c app -- sh -c 'cat /x'"),
        ("kubectl get pods", "pod/pay-1/app", "kubectl get pods"),
        ("locard stacks pid/1", "pod/pay-1/app", "locard stacks pod/pay-1 -n shop -c app"),
        (
            "cat 'a b'",
            "pod/pay-1/app",
            "kubectl exec pay-1 -n shop -c app -- sh -c 'cat '\"'\"'a b'\"'\"''",
        ),
        ("locard logs pod/pay-1", "pod/pay-1/app", "locard logs pod/pay-1 -n shop -c app"),
    ],
)
def test_commands_as_they_are_typed_here(command, place, typed):
    options = (("namespace", "shop"),) if place.startswith("pod/") else ()
    at = Place(place, options=options)
    assert typed_at(command, at) == typed
    assert typed_at(typed, at) == typed


def test_the_way_in_has_the_port_and_the_client_of_the_place():
    host = Place("host/a", "ssh", (("address", "10.9.9.9"), ("user", "bob"), ("port", "2222")))
    assert typed_at("df", host) == "ssh -p 2222 -l bob 10.9.9.9 df"
    assert typed_at("df", Place("container/a", options=(("client", "podman"),))).startswith(
        "podman "
    )


def test_a_host_of_an_inventory_is_named_by_its_address():
    host = Place("host/a", "ssh", (("address", "10.9.9.9"), ("user", "bob")))
    assert typed_at("locard stacks pid/7", host) == "locard stacks pid/7 --on host/bob@10.9.9.9"
    assert Place("host/anna@a", "ssh", (("user", "bob"),)).typed == "host/anna@a"
    assert Place("host/a", "ssh").typed == "host/a"


def test_a_log_of_another_place_is_shown_there():
    typed = with_flags("tail -n 20 /x.log", "/x.log", "--on host/web-1")
    assert typed == "ssh web-1 'tail -n 20 /x.log'"
