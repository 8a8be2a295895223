"""Which processes are known to speak HTTP; everything else is left alone."""

from __future__ import annotations

import pytest

from locard.investigate.speaks_http import is_web_server, serves_some_http
from locard.model.target import Process


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
        ("python3", "raw.py"),
        ("sshd",),
    ],
)
def test_others_are_not(words):
    found = process(*words, comm=words[0].rpartition("/")[2])
    assert not is_web_server(found)
    assert not serves_some_http(found, ())


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("from http.server import ThreadingHTTPServer\n", True),
        ("import json\nimport flask\n", True),
        ("import socketserver, sys\n", False),
        ("import http.client\n", False),
        ("# from flask import Flask\nimport requests\n", False),
    ],
)
def test_scripts(tmp_path, text, speaks):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cwd").mkdir()
    (tmp_path / "7" / "cwd" / "app.py").write_text(text)
    assert serves_some_http(process("python3", "app.py", "1"), (), tmp_path) is speaks
    assert serves_some_http(process("python3", "-c", text), (), tmp_path) is speaks


@pytest.mark.parametrize(
    ("line", "speaks"),
    [
        ('1.1.1.1 - - [d] "GET /a HTTP/1.1" 200 5', True),
        ("2026-01-01 INFO GET /u/1 200 3.1ms", True),
        ('{"path": "/a", "status": 200}', True),
        ("1:M Possible SECURITY ATTACK detected", False),
        ('{"level": "info", "message": "job done", "status": 3}', False),
    ],
)
def test_logs(tmp_path, line, speaks):
    log = tmp_path / "x.log"
    log.write_text(line + "\n")
    assert serves_some_http(process("/opt/server"), (str(log),)) is speaks
    other = process("redis-server", comm="redis-server")
    assert not serves_some_http(other, (str(log),)), "a known server of another protocol stays one"
