"""Whether a process that listens speaks HTTP, by evidence: nothing else is ever sent a GET.

A GET to Redis, PostgreSQL or a server of unknown protocol leaves a line in its log that an alert
may catch, and brings back an answer that nobody asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.process_table import Surroundings
    from locard.model.target import Process

# Programs that serve HTTP whatever their configuration says, by the names of their files.
_SERVERS = frozenset(
    {
        "uvicorn", "gunicorn", "hypercorn", "daphne", "waitress-serve", "granian", "flask",
        "nginx", "httpd", "apache2", "caddy", "traefik", "envoy", "lighttpd", "haproxy",
        "puma", "unicorn", "rackup", "thin", "falcon", "prometheus", "node_exporter", "grafana",
        "http-server", "next-server", "next", "nuxt", "kestrel", "catalina.sh", "jetty.sh",
    }
)  # fmt: skip
# Programs that never do.
_OTHERS = frozenset(
    {
        "redis-server", "valkey-server", "redis-sentinel", "postgres", "postmaster", "pgbouncer",
        "mysqld", "mariadbd", "mongod", "memcached", "sshd", "dnsmasq", "named", "unbound",
        "rabbitmq-server", "mosquitto", "zookeeper", "sendmail", "master", "vsftpd",
    }
)  # fmt: skip
_JAVA = re.compile(
    r"org\.apache\.catalina|org\.eclipse\.jetty|spring-boot|quarkus|undertow|-Dserver\.port"
)
_UWSGI = re.compile(r"--https?(?:-socket|11-socket)?$|--https?(?:-socket)?=")


def is_web_server(process: Process) -> bool:
    """Whether its program is one that serves HTTP on every port that it listens on."""
    names = [word.rpartition("/")[2] for word in process.cmdline[:4]] or [process.comm]
    names[0] = names[0].rstrip(":")
    if names[0] in _OTHERS or process.comm in _OTHERS:
        return False
    if _SERVERS & {*names, process.comm} or _module(process.cmdline) in _SERVERS:
        return True
    if names[0] == "uwsgi" or process.comm == "uwsgi":
        return any(_UWSGI.match(word) for word in process.cmdline)
    if names[0] == "java":
        return any(_JAVA.search(word) for word in process.cmdline)
    return False


def serves_some_http(process: Process, around: Surroundings) -> bool:
    """Whether its script or one of its logs says that it serves HTTP, on one of its ports."""
    name = process.cmdline[0].rpartition("/")[2].rstrip(":") if process.cmdline else ""
    if {name, process.comm} & (_OTHERS | {"uwsgi"}):
        return False
    return process.pid in around.scripts or bool(around.request_logs)


def _module(cmdline: tuple[str, ...]) -> str:
    """The module of `python -m uvicorn app:app`, in the name of its program."""
    for at, word in enumerate(cmdline[1:5], 1):
        if word == "-m" and at + 1 < len(cmdline):
            name = cmdline[at + 1]
            return "http-server" if name == "http.server" else name
    return ""
