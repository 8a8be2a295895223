"""A real endpoint scraped twice through the transport, and endpoints that misbehave."""

from __future__ import annotations

import socket

from locard.metrics.sources import exposition
from locard.model.target import Context, Target
from support import run_probe


def context(*urls):
    return Context(Target("host/local", "host", "local", "here"), metrics_urls=urls, pause_s=0.1)


def test_two_scrapes_of_a_real_endpoint(start):
    url = f"http://127.0.0.1:{start('metrics_page.py').line.strip()}/metrics"
    outputs, facts = run_probe(exposition, context(url))
    (summary,) = facts
    assert [o.http_status for o in outputs] == [200, 200]
    assert summary.url == url
    assert summary.window_s >= 0.1
    by = {(s.signal, dict(s.subject).get("statistic")): s for s in summary.signals}
    share = by["latency", "share_over"]
    assert (share.before, share.now, share.count, share.limit) == (0.0, 1.0, 50, 0.1)
    assert by["latency", "mean"].now == 0.5
    assert dict(share.subject) == {
        "kind": "client",
        "server_address": "bank",
        "statistic": "share_over",
    }
    errors = next(s for s in summary.signals if s.signal == "errors")
    assert (errors.before, errors.now) == (0.0, 0.5)


def test_an_endpoint_that_is_not_there_gives_no_metrics_and_says_why(start):
    port = start("metrics_page.py").line.strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        outputs, facts = run_probe(exposition, context(closed, f"http://127.0.0.1:{port}/other"))
    assert [u.how for u in facts[0].unanswered] == ["refused", "no page"]
    assert outputs[0].problem
    assert outputs[1].http_status == 404


def test_it_needs_a_url():
    assert exposition.applies(context()) is not None


SERVER = """
import socket, sys, threading
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    if sys.argv[1] == "silent": kept = globals().setdefault("kept", []); kept.append(c)
    elif sys.argv[1] == "raw": c.sendall(b"customer=4711;iban=DE00;" * 900)
    elif sys.argv[1] == "close": c.recv(4096); c.close()
    else:
        print(c.recv(4096).decode().split("User-Agent: ")[1].split()[0], flush=True)
        c.sendall(b"HTTP/1.1 404 no\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
"""


def found(*ports):
    urls = tuple(f"http://127.0.0.1:{port}/metrics" for port in ports)
    return Context(Target("host/local", "host", "local", "here"), metrics_found=urls, pause_s=0.1)


def test_a_raw_answer_never_enters_the_evidence(start):
    port = start("-c", SERVER, "raw").line.strip()
    outputs, (coverage,) = run_probe(exposition, found(port))
    assert [u.how for u in coverage.unanswered] == ["no HTTP"]
    assert not any(b"iban" in o.stdout + o.stderr or "iban" in o.problem for o in outputs)
    assert "4711" not in repr(coverage)


def test_pages_that_hang_cost_at_most_two_seconds_and_are_evidence(start):
    ports = [start("-c", SERVER, "silent").line.strip() for _ in range(4)]
    outputs, (coverage,) = run_probe(exposition, found(*ports))
    assert {u.how for u in coverage.unanswered} == {"accepted"}
    assert all(o.timed_out for o in outputs)
    assert len(outputs) * exposition.GET_FOUND.bound_s <= 2, "of four pages, two at most are asked"


def test_a_connection_that_is_closed_without_an_answer_is_said(start):
    port = start("-c", SERVER, "close").line.strip()
    _, (coverage,) = run_probe(exposition, found(port))
    assert [u.how for u in coverage.unanswered] == ["closed"]


def test_it_says_who_it_is(start):
    server = start("-c", SERVER, "http")
    run_probe(exposition, found(server.line.strip()))
    assert server.stdout.readline().startswith("locard/")


def test_its_own_asking_is_not_counted():
    page = (
        'http_requests_total{handler="/metrics",status="200"} %d\n'
        'http_requests_total{handler="/pay",status="200"} %d\n'
    )
    got = [exposition._got(page % (n, 10 * n), 100.0 + n) for n in (1, 3)]
    (summary,) = exposition.read(got)
    (traffic,) = [s for s in summary.signals if s.signal == "traffic"]
    assert traffic.count == 20
    assert traffic.now == 10.0


def test_a_port_that_is_not_asked_is_said_once():
    target = Target("host/local", "host", "local", "here")
    skip = exposition.applies(Context(target, ports_not_asked=("port 6379: not asked",)))
    assert skip.why == "port 6379: not asked"
    assert "--metrics" in skip.unlock
