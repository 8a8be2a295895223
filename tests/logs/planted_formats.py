"""One planted incident, written as each of many programs writes it.

From `ONSET` on half of what goes to one part (`pay`) fails; the three other parts stay as they were.
`WRITERS` maps a name to a function of `Event` that gives the lines of its record.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass

START = 1_763_812_800.0  # 2025-11-22T12:00:00Z
ONSET = START + 600.0
SECONDS = 1200.0
PARTS = ("cart", "pay", "login", "search")


@dataclass(frozen=True)
class Event:
    """One request: its time, whether it failed, its part, and what else a format may want."""

    t: float
    bad: bool
    part: str
    ms: float
    number: int
    id: str

    @property
    def status(self) -> int:
        return 503 if self.bad else 404 if self.number % 41 == 0 else 200

    @property
    def path(self) -> str:
        return f"/{self.part}"

    def at(self, form: str) -> str:
        return dt.datetime.fromtimestamp(self.t, dt.UTC).strftime(form)

    @property
    def iso(self) -> str:
        return dt.datetime.fromtimestamp(self.t, dt.UTC).isoformat(timespec="milliseconds")

    @property
    def zulu(self) -> str:
        return self.iso.replace("+00:00", "Z")

    @property
    def said(self) -> str:
        return "upstream timed out" if self.bad else "request done"


def events(seed: int, rate: float = 4.0) -> list[Event]:
    """The requests in order of time."""
    rng = random.Random(seed)
    out, t = [], START
    while True:
        t += rng.expovariate(rate)
        if t >= START + SECONDS:
            return out
        part = rng.choice(PARTS)
        bad = rng.random() < (0.5 if part == "pay" and t >= ONSET else 0.004)
        ms = round(rng.lognormvariate(3, 0.5), 3)
        out.append(Event(t, bad, part, ms, len(out), f"{rng.getrandbits(128):032x}"))


def _json(**fields) -> list[str]:
    return [json.dumps(fields)]


def heroku(e):
    error = 'at=error code=H12 desc="Request timeout"' if e.bad else "at=info"
    dyno = f"web.{e.number % 3 + 1}"
    line = (
        f'{e.iso} heroku[router]: {error} method=GET path="{e.path}" host=shop.example request_id={e.id} fwd="192.0.2.7" '
        f"dyno={dyno} connect=1ms service={round(e.ms)}ms status={e.status} bytes={e.number % 900} protocol=https"
    )
    talk = [f"{e.iso} app[{dyno}]: cart of {e.number % 9} lines"] if e.number % 2 else []
    return [line, *talk]


def postgres_jsonlog(e):
    return _json(
        timestamp=e.at("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC", user=f"{e.part}_app", dbname="shop", pid=400 + e.number % 7,
        remote_host="10.0.0.4", remote_port=50000 + e.number % 999, session_id=f"69.{e.number:x}", line_num=e.number % 50,
        ps="SELECT", session_start="2025-11-22 09:00:00 UTC", vxid="3/7", txid=0,
        error_severity="ERROR" if e.bad else "LOG", state_code="57014" if e.bad else "00000",
        message="canceling statement due to statement timeout" if e.bad else f"duration: {e.ms} ms  statement: SELECT 1",
        application_name="psql", backend_type="client backend", query_id=0,
    )  # fmt: skip


def mysql_slow(e):
    took = (40 if e.bad else 1) * e.ms / 1000
    return [
        f"# Time: {e.at('%Y-%m-%dT%H:%M:%S.%fZ')}",
        f"# User@Host: {e.part}[{e.part}] @ web-1 [10.0.0.4]  Id: {e.number:5}",
        f"# Query_time: {took:.6f}  Lock_time: 0.000002 Rows_sent: {e.number % 90}  Rows_examined: {e.number % 7000}",
        *(["use shop;"] if e.number % 5 == 0 else []),
        f"SET timestamp={int(e.t)};",
        "SELECT id, total",
        f"FROM orders WHERE id = {e.number};",
    ]


def alb(e):
    code = "-" if e.bad else e.status
    target = "-" if e.number % 97 == 0 else f"10.0.0.{PARTS.index(e.part)}:80"
    return [
        (
            f"https {e.at('%Y-%m-%dT%H:%M:%S.%fZ')} app/lb/50dc 192.0.2.9:2817 {target} 0.001 {e.ms / 1000:.3f} 0.000 {e.status} {code} 34 366 "
            f'"GET https://shop.example:443{e.path} HTTP/2.0" "curl/8 \\"x\\"" TLS_AES_128_GCM_SHA256 TLSv1.3 '
            f'arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{e.part}/73e2 "Root=1-{e.id[:8]}-{e.id[8:]}" "shop.example" "-" 0 '
            f'{e.at("%Y-%m-%dT%H:%M:%S.%fZ")} "forward" "-" "-" "{target}" "{code}" "-" "-" TID_{e.id[:12]}'
        )
    ]


def elb(e):
    return [
        (
            f"{e.at('%Y-%m-%dT%H:%M:%S.%fZ')} my-lb 192.0.2.9:2817 10.0.0.{PARTS.index(e.part)}:80 0.000073 {e.ms / 1000:.6f} 0.000057 {e.status} "
            f'{e.status} 0 29 "GET https://shop.example:443{e.path} HTTP/1.1" "curl/7.38.0" DHE-RSA-AES128-SHA TLSv1.2'
        )
    ]


def uwsgi(e):
    return [
        (
            f"[pid: {800 + e.number % 4}|app: 0|req: {e.number // 4}/{e.number}] 192.0.2.9 () {{34 vars in 488 bytes}} "
            f"[{e.at('%a %b %e %H:%M:%S %Y')}] GET {e.path} => generated {e.number % 900} bytes in {round(e.ms)} msecs "
            f"(HTTP/1.1 {e.status}) 3 headers in 112 bytes (1 switches on core 0)"
        )
    ]


def gunicorn(e):
    return [
        f'192.0.2.9 - - [{e.at("%d/%b/%Y:%H:%M:%S +0000")}] "GET {e.path} HTTP/1.1" {e.status} {e.number % 900} "-" "curl/8"'
    ]


def uvicorn(e):
    return [
        f'{e.at("%Y-%m-%d %H:%M:%S")},{round(e.t % 1 * 999):03} INFO:     10.0.0.7:{40000 + e.number % 999} - "GET {e.path} HTTP/1.1" {e.status} '
        + {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[e.status]
    ]


def lambda_text(e):
    rid = f"{e.id[:8]}-{e.id[8:12]}-4{e.id[13:16]}-8{e.id[17:20]}-{e.id[20:]}"
    log = f"{e.iso} 2025/11/22/[$LATEST]{PARTS.index(e.part)}f00 "
    took = 3000.0 if e.bad else e.ms
    end = [f"{e.zulu} {rid} Task timed out after 3.00 seconds", ""] if e.bad else []
    return [
        f"{log}START RequestId: {rid} Version: $LATEST",
        f"{log}END RequestId: {rid}",
        f"{log}REPORT RequestId: {rid}\tDuration: {took:.2f} ms\tBilled Duration: {round(took) + 1} ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB"
        + "\tInit Duration: 200.12 ms" * (e.number % 50 == 0)
        + "\t",
        *(log + x for x in end if x),
    ]


def lambda_json(e):
    metrics = {
        "durationMs": e.ms,
        "billedDurationMs": round(e.ms) + 1,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 61,
    }
    record = {"requestId": e.id, "metrics": metrics, "status": "timeout" if e.bad else "success"}
    return [
        json.dumps(
            {
                "timestamp": e.zulu,
                "level": "INFO",
                "requestId": e.id,
                "message": e.said,
                "logger": e.part,
            }
        ),
        *(_json(time=e.zulu, type="platform.report", record=record)),
    ]


def weblogic(e):
    level = "Error" if e.bad else "Info"
    return [
        (
            f"####<{e.at('%b %e, %Y, %I:%M:%S,').replace('  ', ' ')}{round(e.t % 1 * 999):03} {e.at('%p')} UTC> <{level}> <{e.part.title()}> <web-1> <AdminServer> "
            f"<[ACTIVE] ExecuteThread: '{e.number % 9}' for queue: 'weblogic.kernel.Default (self-tuning)'> <<WLS Kernel>> <> <{e.id}> "
            f"<{round(e.t * 1000)}> <[severity-value: 64] > <BEA-{101017 if e.bad else 101000}> <{e.said}> "
        )
    ]


def k8s_audit(e):
    return _json(
        kind="Event", apiVersion="audit.k8s.io/v1", level="Metadata", auditID=e.id, stage="ResponseComplete",
        requestURI=f"/api/v1/namespaces/{e.part}/pods?limit=500", verb="list", user={"username": f"system:serviceaccount:{e.part}:default", "groups": ["a"]},
        sourceIPs=["10.0.0.3"], userAgent="kubectl", objectRef={"resource": "pods", "namespace": e.part, "apiVersion": "v1"},
        responseStatus={"metadata": {}, "code": e.status}, requestReceivedTimestamp=e.at("%Y-%m-%dT%H:%M:%S.%fZ"),
        stageTimestamp=e.at("%Y-%m-%dT%H:%M:%S.%fZ"), annotations={"authorization.k8s.io/decision": "allow"},
    )  # fmt: skip


def _cloudflare(e, stamp):
    return _json(
        CacheCacheStatus="dynamic", ClientIP="192.0.2.9", ClientRequestHost=f"{e.part}.example", ClientRequestMethod="GET",
        ClientRequestURI=f"{e.path}?x={e.number}", EdgeStartTimestamp=stamp(e.t), EdgeEndTimestamp=stamp(e.t), EdgeResponseBytes=200 + e.number % 400,
        EdgeResponseStatus=e.status, OriginResponseStatus=e.status if e.number % 3 else 0,
        OriginResponseTime=round(e.ms * 1e6) if e.number % 3 else 0, RayID=e.id[:16],
    )  # fmt: skip


def cloudflare_unixnano(e):
    return _cloudflare(e, lambda t: round(t * 1e9))


def cloudflare_unix(e):
    return _cloudflare(e, int)


def cloudflare_rfc3339(e):
    return _cloudflare(e, lambda _: e.at("%Y-%m-%dT%H:%M:%SZ"))


def envoy_text(e):
    flag = "UF,URX" if e.bad else "-"
    return [
        (
            f'[{e.zulu}] "GET {e.path} HTTP/1.1" {e.status} {flag} via_upstream - "-" 0 154 {round(e.ms)} {"-" if e.bad else round(e.ms)} '
            f'"10.0.35.28" "curl/8" "{e.id}" "shop" "10.0.2.{PARTS.index(e.part)}:80" outbound|80||{e.part}.shop.svc.cluster.local 10.4.0.2:4 10.0.0.1:80 10.4.0.2:3 - default'
        )
    ]


def envoy_json(e):
    return _json(
        start_time=e.zulu, method="GET", path=e.path, protocol="HTTP/1.1", response_code=e.status, response_flags="UF" if e.bad else "-",
        bytes_received=0, bytes_sent=154, duration=round(e.ms), upstream_service_time=None if e.bad else str(round(e.ms)),
        x_forwarded_for="10.0.35.28", user_agent="curl/8", request_id=e.id, authority="shop", upstream_host=f"10.0.2.{PARTS.index(e.part)}:80",
        upstream_cluster=f"outbound|80||{e.part}.shop", response_code_details="via_upstream", route_name="default",
    )  # fmt: skip


def gelf(e):
    return _json(
        version="1.1", host=f"web-{e.number % 3}", short_message=e.said, full_message=f"{e.said}\n{e.id}", timestamp=round(e.t, 3),
        level=3 if e.bad else 6, facility="shop", _part=e.part, _took=e.ms,
    )  # fmt: skip


def kong(e):
    return _json(
        latencies={"request": round(e.ms), "proxy": round(e.ms) - 1, "kong": 1}, client_ip="192.0.2.9", started_at=round(e.t * 1000),
        upstream_uri="/x", upstream_status=str(e.status),
        service={"host": f"{e.part}.internal", "name": e.part, "port": 80, "created_at": 1_614_232_642, "path": "/", "read_timeout": 60000, "retries": 5},
        route={"id": f"{PARTS.index(e.part)}d", "paths": ["/x"], "created_at": 1_614_232_648, "name": f"{e.part}-route", "https_redirect_status_code": 426},
        request={"size": 138, "uri": e.path, "url": f"http://shop.example:8000{e.path}", "method": "GET", "querystring": {}, "headers": {"host": "shop.example"}},
        response={"size": 500 + e.number % 90, "status": e.status, "headers": {"content-length": "503"}},
        tries=[{"balancer_latency": 0, "port": 80, "balancer_start": round(e.t * 1000), "ip": "10.0.0.1"}],
    )  # fmt: skip


def tracing_text(e):
    level = "ERROR" if e.bad else " INFO"
    return [
        f'{e.at("%Y-%m-%dT%H:%M:%S.%fZ")} {level} request{{method=GET part={e.part} id="{e.number}"}}:query{{n=1}}: shop::api: {e.said} took={e.ms}ms'
    ]


def tracing_json(e):
    return _json(
        timestamp=e.at("%Y-%m-%dT%H:%M:%S.%fZ"), level="ERROR" if e.bad else "INFO", fields={"message": e.said, "n": e.number}, target="shop::api",
        span={"part": e.part, "name": "request"}, spans=[{"name": "root"}, {"part": e.part, "name": "request"}],
    )  # fmt: skip


def elixir(e):
    clock = e.at("%H:%M:%S.%f")[:-3]
    if e.bad:
        return [
            f"{clock} part={e.part} [error] GenServer Shop.{e.part.title()} terminating",
            "** (DBConnection.ConnectionError) connection not available and request was dropped from queue after 2000ms",
            "    (ecto_sql 3.10.1) lib/ecto/adapters/sql.ex:913: Ecto.Adapters.SQL.raise_sql_call_error/1",
            "    (stdlib 4.2) gen_server.erl:1123: :gen_server.try_dispatch/4",
            f"Last message: {{:get, {e.number}}}",
            f"State: %{{part: {e.part}}}",
        ]
    return [f"{clock} request_id={e.id[:16]} part={e.part} [info] Sent 200 in {round(e.ms)}ms"]


def erlang_logger(e):
    level = "error" if e.bad else "info"
    return [f"{e.at('%Y-%m-%dT%H:%M:%S.%f')}+00:00 {level}: part={e.part} {e.said}"]


def lager(e):
    level = "error" if e.bad else "info"
    return [
        f"{e.at('%Y-%m-%d %H:%M:%S.%f')[:-3]} [{level}] <0.{e.number % 90 + 80}.0>@{e.part}_srv:handle_call:{41 if e.bad else 12} {e.said}"
    ]


def winlogbeat(e):
    return _json(
        **{"@timestamp": e.zulu}, message=e.said, log={"level": "error" if e.bad else "information"}, agent={"type": "winlogbeat", "version": "8.11"},
        event={"code": "7031" if e.bad else "7036", "provider": "Service Control Manager", "kind": "event"}, host={"name": "web-1"},
        winlog={"channel": "System", "computer_name": "web-1", "event_id": "7031" if e.bad else "7036", "provider_name": e.part, "record_id": e.number,
                "event_data": {"param1": e.part}},
    )  # fmt: skip


def nxlog(e):
    return _json(
        EventTime=e.at("%Y-%m-%d %H:%M:%S"), Hostname="web-1", Keywords="9259400833873739776", EventType="ERROR" if e.bad else "INFO",
        SeverityValue=4 if e.bad else 2, Severity="ERROR" if e.bad else "INFO", EventID=7031 if e.bad else 7036, SourceName=e.part, Task=0,
        RecordNumber=e.number, ProcessID=652, Channel="System", Message=e.said, EventReceivedTime=e.at("%Y-%m-%d %H:%M:%S"),
    )  # fmt: skip


def get_winevent(e):
    return _json(
        Id=7031 if e.bad else 7036, Version=0, Level=2 if e.bad else 4, Task=0, Opcode=0, Keywords=-9187343239835811840, RecordId=e.number,
        ProviderName=e.part, LogName="System", ProcessId=652, ThreadId=712, MachineName="web-1", TimeCreated=f"/Date({round(e.t * 1000)})/",
        Message=e.said, LevelDisplayName="Error" if e.bad else "Information", KeywordsDisplayNames=["Classic"],
    )  # fmt: skip


def get_winevent_plain(e):
    return _json(
        Id=7031 if e.bad else 7036, Level=2 if e.bad else 4, RecordId=e.number, ProviderName=e.part, LogName="System", MachineName="web-1",
        TimeCreated=e.at("%Y-%m-%dT%H:%M:%S.%f0Z"), Message=e.said, LevelDisplayName=None,
    )  # fmt: skip


def docker(e):
    log = f'192.0.2.9 - - [{e.at("%d/%b/%Y:%H:%M:%S +0000")}] "GET /x HTTP/1.1" {e.status} 12 "-" "curl/8"\n'
    return _json(
        log=log, stream="stdout", attrs={"com.example.part": e.part, "tag": "shop"}, time=e.zulu
    )


def fluent_bit(e):
    return _json(
        date=round(e.t, 6), stream="stderr", _p="F", log=f"{'ERROR' if e.bad else 'INFO'} {e.said}",
        kubernetes={"pod_name": f"{e.part}-7d9", "namespace_name": "shop", "container_name": e.part, "labels": {"app": e.part}, "host": "n1"},
    )  # fmt: skip


def unknown_names(e):
    """No key tells anything: all is to be found by value."""
    return _json(
        q0=e.zulu, q1=e.status, q2=f"{e.ms}ms", q3=f"GET {e.path} HTTP/1.1", q4=400 + e.number % 300, q5=8080 + e.number % 3, q6=e.id,
        q7=f"ann{e.number % 7}",
    )  # fmt: skip


def unknown_level(e):
    return _json(
        a=round(e.t * 1e6),
        b="ERROR" if e.bad else "WARN" if e.number % 30 == 0 else "INFO",
        c=e.said,
        d=e.part,
    )


WRITERS = {
    f.__name__: f
    for f in (
        heroku, postgres_jsonlog, mysql_slow, alb, elb, uwsgi, gunicorn, uvicorn, lambda_text, lambda_json, weblogic, k8s_audit,
        cloudflare_unixnano, cloudflare_unix, cloudflare_rfc3339, envoy_text, envoy_json, gelf, kong, tracing_text, tracing_json, elixir,
        erlang_logger, lager, winlogbeat, nxlog, get_winevent, get_winevent_plain, docker, fluent_bit, unknown_names, unknown_level,
    )
}  # fmt: skip


def lines(name: str, seed: int = 1) -> tuple[list[str], list[Event]]:
    """The log in one format, and the requests in it."""
    found = events(seed)
    return [line for e in found for line in WRITERS[name](e)], found
