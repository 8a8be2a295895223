"""A small service with a log that got slow a while ago, a /metrics endpoint and busy threads.

Arguments: the log file to write; optional `healthy`. Prints its port when it is ready.
"""

import http.server
import json
import random
import sys
import threading
import time
from pathlib import Path

HISTORY_S = 90
DEGRADED_S = 30
RATE = 40


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (
            b"# TYPE http_requests_total counter\n"
            b'http_requests_total{route="/pay",status="200"} 4242\n'
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def record(rng, at, *, slow):
    region = rng.choice(["north", "south", "east", "west"])
    hit = slow and region == "east"
    failed = hit and rng.random() < 0.5
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    return {
        "time": moment,
        "level": "error" if failed else "info",
        "trace_id": f"{rng.getrandbits(128):032x}",
        "path": rng.choice(["/pay", "/quote"]),
        "status": 504 if failed else 200,
        "duration_ms": round(rng.lognormvariate(3, 0.5) * (20 if hit else 1), 1),
        "region": region,
        "user": f"u{rng.randrange(10**6)}@example.com",
        "message": "upstream timed out" if failed else "ok",
    }


def write_history(path, *, healthy):
    rng = random.Random(1)
    now = time.time()
    with path.open("a", encoding="utf-8") as log:
        log.write("Listening for requests\n")
        for n in range(HISTORY_S * RATE):
            at = now - HISTORY_S + n / RATE
            slow = not healthy and at > now - DEGRADED_S
            log.write(json.dumps(record(rng, at, slow=slow)) + "\n")
    return path.open("a", encoding="utf-8")


def main():
    healthy = "healthy" in sys.argv
    log = write_history(Path(sys.argv[1]), healthy=healthy)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    while True:
        time.sleep(60)
        log.flush()


main()
