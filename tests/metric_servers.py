"""Servers of metrics for the tests: a history with a planted step, real servers that hold it, and one that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from support import wait_until

STEP = 15
HOURS = 2.5
ONSET_BEFORE = 600  # seconds before the end


class Story:
    """Sixty series of a service over some hours; its errors begin `ONSET_BEFORE` seconds before the end."""

    def __init__(self, end, *, onset=True, hours=HOURS, step=STEP):
        self.step, self.end = step, int(end) // step * step
        self.onset = self.end - ONSET_BEFORE
        self.times = list(range(self.end - int(hours * 3600), self.end + 1, step))
        self.families = {}
        draw = random.Random(7)
        bad = [onset and at > self.onset for at in self.times]
        for n in range(4):
            labels = {"job": "payment", "instance": f"10.0.0.{n}:80"}
            calls = [40 + draw.randint(-6, 6) for _ in self.times]
            failed = [round(c * (0.25 if b else 0.002)) for c, b in zip(calls, bad, strict=True)]
            self.counter(
                "http_requests", {**labels, "code": "200"}, map(int.__sub__, calls, failed)
            )
            self.counter("http_requests", {**labels, "code": "500"}, failed)
            self.gauge(
                "process_resident_memory_bytes", labels, [9e7 + draw.random() * 1e6 for _ in calls]
            )
            self.gauge("up", labels, [1] * len(calls))
        for n in range(44):
            labels = {"job": "shop", "instance": "10.0.1.1:80", "queue": f"q{n}"}
            self.gauge("queue_depth", labels, [draw.randint(0, 9) for _ in self.times])
        # An alert that was pending two minutes after the onset, and fired another three later.
        pending = [self.onset + 120 < at <= self.onset + 300 for at in self.times]
        firing = [onset and at > self.onset + 300 for at in self.times]
        for state, seen in (("pending", pending if onset else firing), ("firing", firing)):
            labels = {"alertname": "ErrorsHigh", "alertstate": state, "severity": "page"}
            self.gauge("ALERTS", labels, [1 if s else None for s in seen])

    def counter(self, family, labels, grows):
        held, values = 0, []
        for more in grows:
            held += more
            values.append(held)
        self._add(family, "counter", "_total", labels, values)

    def gauge(self, family, labels, values):
        self._add(family, "gauge", "", labels, values)

    def _add(self, family, kind, suffix, labels, values):
        self.families.setdefault((family, kind, suffix), []).append((labels, values))

    @property
    def series(self):
        """All of them: (name, labels, [(time, value)])."""
        for (family, _, suffix), rows in self.families.items():
            for labels, values in rows:
                known = [(t, v) for t, v in zip(self.times, values, strict=True) if v is not None]
                yield family + suffix, labels, known

    def open_metrics(self):
        """As promtool reads it."""
        lines = []
        for (family, kind, suffix), rows in self.families.items():
            lines.append(f"# TYPE {family} {kind}")
            for labels, values in rows:
                name = f"{family}{suffix}{{{_labels(labels)}}}"
                lines += [
                    f"{name} {v} {t}"
                    for t, v in zip(self.times, values, strict=True)
                    if v is not None
                ]
        return "\n".join([*lines, "# EOF", ""])

    def json_lines(self):
        """As VictoriaMetrics reads it."""
        return "\n".join(
            json.dumps(
                {
                    "metric": {"__name__": name, **labels},
                    "values": [v for _, v in known],
                    "timestamps": [t * 1000 for t, _ in known],
                }
            )
            for name, labels, known in self.series
            if known
        )


def _labels(labels):
    return ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, answer.read()


def _ready(url, process):
    def answers():
        assert process.poll() is None, "the server ended before it was ready"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(url)[0] == 200
        return False

    wait_until(answers, 40)


@contextlib.contextmanager
def _running(argv, url, folder, name):
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _ready(url, process)
            yield process
        finally:
            process.kill()
            process.wait()


def _program(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not here (Debian package of that name: tools/setup_far.sh)")
    return path


@contextlib.contextmanager
def prometheus(folder, story=None, *more, config="", argv=None, prefix="", inside=""):
    """A real Prometheus that holds a story; gives its URL. `argv`: another one than that of PATH, `inside` a root."""
    program = argv or [_program("prometheus")]
    data = folder / "tsdb"
    if story is not None:
        text = folder / "history.om"
        text.write_text(story.open_metrics())
        made = subprocess.run(
            [_program("promtool"), "tsdb", "create-blocks-from", "openmetrics", text, data],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    (folder / "prometheus.yml").write_text(config or "scrape_configs: []\n")
    port = free_port()
    words = [
        *program, f"--config.file={str(folder).removeprefix(inside)}/prometheus.yml",
        f"--storage.tsdb.path={str(data).removeprefix(inside)}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y", *more,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}{prefix}"
    with _running(words, f"{url}/-/ready", folder, "prometheus"):
        yield url


@contextlib.contextmanager
def forky_folder(root):
    """A folder in another root."""
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as folder:
        yield Path(folder)


@contextlib.contextmanager
def victoria_metrics(folder, story):
    """A real VictoriaMetrics that holds a story; gives its URL."""
    port = free_port()
    words = [
        _program("victoria-metrics"), f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s", "-retentionPeriod=10y",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with _running(words, f"{url}/health", folder, "victoria-metrics"):
        asked = urllib.request.Request(f"{url}/api/v1/import", story.json_lines().encode())
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.status == 204
        get(f"{url}/internal/force_flush")
        yield url


class Fake:
    """A server of canned answers: `answer(path, query, headers)` gives (status, headers, body), or does it by itself.

    `asked` are the requests as (path, query, headers), in their order; `most` how many were in flight at once.
    """

    def __init__(self, answer, context=None):
        self.asked, self.most = [], 0
        self._now, self._lock = 0, threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                path, _, query = self.path.partition("?")
                found = {k: v[0] for k, v in urllib.parse.parse_qs(query, True).items()}
                with fake._lock:
                    fake.asked.append((path, found, dict(self.headers)))
                    fake._now += 1
                    fake.most = max(fake.most, fake._now)
                try:
                    said = answer(path, found, self)
                    if said is not None:
                        self._say(*said)
                finally:
                    with fake._lock:
                        fake._now -= 1

            def _say(self, status, headers, body):
                data = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in {"Content-Length": len(data), **headers}.items():
                    if value is not None:
                        self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client may go away
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if context is not None else "http"
        self.port = self._server.server_port
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.over = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def paths(self):
        return [path for path, _, _ in self.asked]

    def close(self):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def said(data, **more):
    """An answer of the API."""
    body = json.dumps({"status": "success", "data": data, **more})
    return 200, {"Content-Type": "application/json"}, body


def refused(status, words, kind="text/plain"):
    """An answer that is none."""
    return status, {"Content-Type": kind}, words


def vector(*rows, at=0.0):
    return {
        "resultType": "vector",
        "result": [{"metric": labels, "value": [at, str(value)]} for labels, value in rows],
    }


def matrix(*rows):
    return {
        "resultType": "matrix",
        "result": [
            {"metric": labels, "values": [[t, str(v)] for t, v in values]}
            for labels, values in rows
        ],
    }


class CannedApi:
    """The API over some series: (labels with __name__, [(time, value)]). What a test wants otherwise goes into `change`.

    `change(kind, query)` gives an answer instead, by the kind of question: time, build, flags, names, values, alerts,
    rules, metadata, interval, samples, range, exemplars, other.
    """

    def __init__(self, series, change=None, clock=None, prefix=""):
        import time

        self.series, self.prefix = list(series), prefix
        self.change = change or (lambda *_: None)
        self.clock = clock or time.time
        self.kinds = []

    def __call__(self, path, query, handler):
        kind = self._kind(path, query)
        self.kinds.append(kind)
        instead = self.change(kind, query)
        if instead is not None:
            return instead(handler) if callable(instead) else instead
        if not path.startswith(f"{self.prefix}/api/v1/"):
            return refused(404, "404 page not found")
        return getattr(self, f"_{kind}", lambda _: refused(404, "404 page not found"))(query)

    def _kind(self, path, query):
        asked = query.get("query", "")
        last = path.rpartition("/api/v1/")[2]
        if last == "query":
            if asked == "time()":
                return "time"
            if asked.startswith(("count by (__name__)", "topk")):
                return "names"
            if "count_over_time(ALERTS" in asked:
                return "alerts"
            return "interval" if asked.startswith("quantile") else "samples"
        return {
            "status/buildinfo": "build", "status/flags": "flags", "label/__name__/values": "values",
            "rules": "rules", "metadata": "metadata", "query_range": "range", "query_exemplars": "exemplars",
        }.get(last, "other")  # fmt: skip

    def _time(self, _):
        return said({"resultType": "scalar", "result": [self.clock(), str(self.clock())]})

    def _build(self, _):
        return said({"version": "9.9.9", "revision": "abc"})

    def _flags(self, _):
        return said({"query.max-samples": "50000000", "storage.tsdb.path": "data"})

    def _names(self, _):
        counts = {}
        for labels, _values in self.series:
            counts[labels["__name__"]] = counts.get(labels["__name__"], 0) + 1
        return said(vector(*(({"__name__": name}, n) for name, n in counts.items())))

    def _values(self, _):
        return said(sorted({labels["__name__"] for labels, _ in self.series}))

    def _alerts(self, _):
        return said(vector())

    def _rules(self, _):
        return said({"groups": []})

    def _metadata(self, _):
        return said({})

    def _interval(self, _):
        return said(vector(({}, 40)))

    def _samples(self, _):
        return said(matrix(*self.series))


def tls_server_context(folder, *, ask_client=False):
    """A server's TLS with a certificate of its own for 127.0.0.1, and files: its certificate, one for a client."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here")
    for name in ("server", "client"):
        subprocess.run(
            [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
             "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if ask_client:
        context.load_verify_locations(folder / "client.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context
