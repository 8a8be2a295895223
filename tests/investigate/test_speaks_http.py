"""Which processes are known to speak HTTP; everything else is left alone."""

from __future__ import annotations

import pytest

from locard.investigate.speaks_http import is_web_server, serves_some_http
from locard.model.process_table import Surroundings
from locard.model.target import Process

BY_SCRIPT = Surroundings(scripts=frozenset({7}))
BY_LOG = Surroundings(request_logs=frozenset({"/x.log"}))


def process(*cmdline, comm="python3"):
    return Process(7, 1, 0, 0.0, 0, comm, cmdline)


@pytest.mark.parametrize(
    "words",
    [
        ("/venv/bin/python", "/venv/bin/gunicorn", "-w", "4", "app:app"),
        ("python3", "-m", "uvicorn", "app:app"),
        ("python3", "-m", "http.server", "8000"),
        ("nginx: master process nginx",),
        ("uwsgi", "--http-socket", "127.0.0.1:8000", "--wsgi-file", "app.py"),
        ("java", "-jar", "spring-boot-app.jar"),
    ],
)
def test_web_servers(words):
    comm = "nginx" if words[0].startswith("nginx") else words[0].rpartition("/")[2]
    assert is_web_server(process(*words, comm=comm))


@pytest.mark.parametrize(
    "words",
    [
        ("redis-server", "127.0.0.1:6379"),
        ("/usr/lib/postgresql/15/bin/postgres", "-D", "/x"),
        ("uwsgi", "--socket", "127.0.0.1:3031"),
        ("java", "-jar", "broker.jar"),
        ("sshd",),
    ],
)
def test_others_are_not(words):
    found = process(*words, comm=words[0].rpartition("/")[2])
    assert not is_web_server(found)
    assert not serves_some_http(found, Surroundings())


def test_a_script_or_a_log_says_it():
    server = process("/opt/server", comm="server")
    assert serves_some_http(server, BY_SCRIPT)
    assert serves_some_http(server, BY_LOG)
    assert not serves_some_http(server, Surroundings(scripts=frozenset({8})))


def test_a_known_server_of_another_protocol_stays_one():
    redis = process("redis-server", comm="redis-server")
    assert not serves_some_http(redis, BY_LOG)
