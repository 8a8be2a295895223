"""An endpoint that behaves as its first argument says; it prints its port, then one line for each GET."""

import gzip
import http.server
import json
import sys
import time

GOOD = b"""# TYPE http_requests_total counter
http_requests_total{status="200"} 1000
http_requests_total{status="500"} 3
process_start_time_seconds 1700000000
"""
HOW = sys.argv[1]
SEEN = []
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4"


def start_time(n):
    """Of the process that answers the n-th GET."""
    return {
        "workers": 1700000000 + 31 * (n * 3 % 5),
        "two-workers": 1700000000 + 31 * (n % 2),
        "shared": 1700000000 + 31 * (n % 2),
        "restart": 1700000000 if n < 1 else time.time(),
        "moved-on": 1700000000 if n < 1 else 1700000500,
    }.get(HOW, 1700000000)


def counted(n):
    """What the process that answers the n-th GET has counted."""
    if HOW == "no-start-times":
        return 1000 + 137 * ((n + 1) % 2) + n
    if HOW in {"workers", "two-workers"}:
        return 1000 + 137 * (n * 3 % 5 if HOW == "workers" else n % 2) + n
    if HOW in {"restart", "moved-on", "one-fall"}:
        return 1000 if n < 1 else 4 + n
    return 1000 + 10 * n


def page(n):
    """The page, with a start time unless it is to have none."""
    text = f'# TYPE http_requests_total counter\nhttp_requests_total{{status="200"}} {counted(n)}\n'
    if HOW not in {"no-start-times", "one-fall"}:
        text += f"process_start_time_seconds {start_time(n)}\n"
    return text.encode() + b"process_open_fds 12\nprocess_max_fds 1024\n"


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        n = len(SEEN)
        SEEN.append(1)
        sys.stdout.write("GET\n")
        sys.stdout.flush()
        self.close_connection = True
        if HOW.isdigit():
            return self.answer(b"no", "text/plain", status=int(HOW))
        way = getattr(self, "as_" + HOW.replace("-", "_"), None)
        return self.answer(page(n), TEXT) if way is None else way()

    def answer(self, body, kind, status=200, length=None, **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status == 429:
            self.send_header("Retry-After", "30")
        if status in {301, 302}:
            self.send_header("Location", "http://127.0.0.1:1/other")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length != "none":
            self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def as_slow(self):
        self.answer(GOOD[:30], TEXT, length=500)
        self.wfile.flush()
        time.sleep(30)

    def as_short(self):
        self.answer(GOOD, TEXT, length=len(GOOD) + 100)

    def as_chunk_cut(self):
        self.answer(
            b"%x\r\n%s\r\n" % (len(GOOD), GOOD), TEXT, length="none", Transfer_Encoding="chunked"
        )

    def as_chunked(self):
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
        self.answer(body, TEXT, length="none", Transfer_Encoding="chunked")

    def as_half_line(self):
        self.answer(GOOD[:-4], TEXT, length="none", Connection="close")

    def as_until_close(self):
        self.answer(GOOD, TEXT, length="none", Connection="close")

    def as_no_eof(self):
        self.answer(GOOD, OPENMETRICS)

    def as_eof(self):
        self.answer(GOOD + b"# EOF\n", OPENMETRICS)

    def as_huge(self):
        self.answer(b"".join(b'a{n="%d"} 1\n' % n for n in range(400_000)), TEXT)

    def as_html(self):
        self.answer(b"<html><body>Log in 2 times\nor 3\n</body></html>", "text/html")

    def as_json(self):
        self.answer(
            json.dumps({"status": "ok", "n": [1, 2]}, indent=1).encode(), "application/json"
        )

    def as_empty(self):
        self.answer(b"", TEXT)

    def as_html_type(self):
        self.answer(GOOD, "text/html")

    def as_no_type(self):
        self.answer(GOOD, None)

    def as_protobuf_lie(self):
        self.answer(
            GOOD,
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        )

    def as_garbled_first(self):
        garbled = b"\x03\x0a\x7fa"  # its name is longer than itself
        whole = b"\x14\x0a\x05items\x22\x0b\x12\x09\x09\0\0\0\0\0\0\x14\x40"
        kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        self.answer(garbled + whole, kind)

    def as_gzip(self):
        self.answer(gzip.compress(GOOD), TEXT, Content_Encoding="gzip")

    def as_gzip_cut(self):
        body = gzip.compress(GOOD)
        self.answer(body[:-20], TEXT, Content_Encoding="gzip")

    def as_bomb(self):
        self.answer(gzip.compress(b"a 1\n" * (16 << 20)), TEXT, Content_Encoding="gzip")

    def as_packed(self):
        self.answer(b"\x28\xb5\x2f\xfd" + b"x" * 50, TEXT, Content_Encoding="zstd")

    def as_hostile(self):
        value = b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae" + b"<script>alert(1)</script>"
        lines = [
            b'http_requests_total{status="%s",upstream="%s"} 5\n' % (value, value),
            b'http_requests_total{status="a\\nb"} 5\n',
            b'http_requests_total{status="' + b"x" * 70_000 + b'"} 5\n',
            b'{"\x1b[31mhttp_requests_total","status"="x"} 5\n',
        ]
        self.answer(b"".join(lines), TEXT)

    def as_many(self):
        self.answer(b"".join(b'http_requests_total{l="%d"} 1\n' % n for n in range(100_000)), TEXT)

    def as_twice(self):
        self.answer(
            GOOD + b'http_requests_total{status="500"} 4\nhttp_requests_total{status="200"} 1000\n',
            TEXT,
        )

    def as_odd_numbers(self):
        lines = b'http_requests_total{status="201"} -5\nhttp_requests_total{status="202"} NaN\n'
        self.answer(
            GOOD + lines + b'http_requests_total{status="203"} +Inf\nworker_threads_busy NaN\n',
            TEXT,
        )

    def log_message(self, *_):
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
