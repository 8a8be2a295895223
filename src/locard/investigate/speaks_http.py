"""Whether a process that listens speaks HTTP, by evidence: nothing else is ever sent a GET.

A GET to Redis, PostgreSQL or a server of unknown protocol leaves a line in its log that an alert
may catch, and brings back an answer that nobody asked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.model.target import Process

_MOST_SCRIPT = 1 << 18
_MOST_TAIL = 1 << 16

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
_MODULES = (
    r"http\.server|wsgiref|flask|fastapi|starlette|aiohttp|bottle|django|tornado|sanic|falcon|pyramid"
    r"|cherrypy|uvicorn|hypercorn|waitress|werkzeug|quart|litestar|prometheus_client"
)
_IMPORTS = re.compile(
    rf"^\s*(?:from|import)\s+(?:{_MODULES})\b"
    r"|require\(['\"](?:node:)?(?:https?|http2|express|fastify|koa|hapi|restify|prom-client)['\"]\)"
    r"|^\s*import\b[^\n]*['\"](?:node:)?(?:https?|express|fastify|koa)['\"]"
    r"|^\s*require\s+['\"](?:sinatra|rack|webrick|puma)['\"]",
    re.MULTILINE,
)
_JAVA = re.compile(
    r"org\.apache\.catalina|org\.eclipse\.jetty|spring-boot|quarkus|undertow|-Dserver\.port"
)
_UWSGI = re.compile(r"--https?(?:-socket|11-socket)?$|--https?(?:-socket)?=")
# "GET /x HTTP/1.1" as access logs write it, or a method beside a path and a status.
_ACCESS = re.compile(
    rb"\"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^\"\s]{1,2000} HTTP/[0-9.]+\"?"
    rb"|\b(?:GET|POST|PUT|PATCH|DELETE) /[^\s\"]{0,500}[^\n]{0,80}\b[1-5][0-9]{2}\b"
    rb"|\"(?:path|uri|url|route|http\.route|http_path|request_uri)\": ?\"/[^\n]{0,2000}\"(?:status|status_code|http_status)\": ?[\"]?[1-5][0-9]{2}"
    rb"|\"(?:status|status_code|http_status)\": ?[\"]?[1-5][0-9]{2}[^\n]{0,2000}\"(?:path|uri|url|route)\": ?\"/"
)


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


def serves_some_http(process: Process, logs: Iterable[str], proc: Path = Path("/proc")) -> bool:
    """Whether its script or one of its logs says that it serves HTTP, on one of its ports."""
    name = process.cmdline[0].rpartition("/")[2].rstrip(":") if process.cmdline else ""
    if {name, process.comm} & (_OTHERS | {"uwsgi"}):
        return False
    return _script_serves(process, proc) or any(map(_logs_requests, logs))


def _module(cmdline: tuple[str, ...]) -> str:
    """The module of `python -m uvicorn app:app`, in the name of its program."""
    for at, word in enumerate(cmdline[1:5], 1):
        if word == "-m" and at + 1 < len(cmdline):
            name = cmdline[at + 1]
            return "http-server" if name == "http.server" else name
    return ""


def _script_serves(process: Process, proc: Path) -> bool:
    """Whether the program text that the interpreter was given imports an HTTP server."""
    words = process.cmdline[1:]
    for at, word in enumerate(words[:6]):
        if word in {"-c", "-e", "--eval"}:
            return at + 1 < len(words) and bool(_IMPORTS.search(words[at + 1]))
        if word.startswith("-"):
            continue
        if not word.endswith((".py", ".js", ".mjs", ".cjs", ".ts", ".rb")):
            return False
        path = word if word.startswith("/") else f"/cwd/{word}"
        base = proc / str(process.pid) / ("root" if word.startswith("/") else "")
        return bool(_IMPORTS.search(_head(Path(f"{base}{path}"))))
    return False


def _head(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return ""


def _logs_requests(path: str) -> bool:
    """Whether the end of a log tells of HTTP requests."""
    try:
        file = Path(path)
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _MOST_TAIL))
            return bool(_ACCESS.search(opened.read(_MOST_TAIL)))
    except OSError:
        return False
