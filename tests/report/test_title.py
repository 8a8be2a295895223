"""The title names a process by its command line without folders; code in it stays as it is."""

from __future__ import annotations

import pytest

from locard.model.target import Process
from locard.report.words import _program


@pytest.mark.parametrize(
    ("cmdline", "title"),
    [
        (("/usr/bin/python3", "-c", 'os.execv("/bin/sh",["x"])'),
         'python3 -c os.execv("/bin/sh",["x"])'),
        (("/usr/bin/perl", "-e", "s/a/b/"), "perl -e s/a/b/"),
        (("/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"), "nginx -c nginx.conf"),
        (("/opt/x/bin/run", "--config=/etc/x.conf", "http://h/a/b"), "run --config=x.conf http://h/a/b"),
        (("/opt/venv/bin/gunicorn", "app:main"), "gunicorn app:main"),
        ((), "comm"),
    ],
)  # fmt: skip
def test_program(cmdline, title):
    assert _program(Process(7, 1, 0, 0.0, 0, "comm", cmdline)) == title
