"""The names under which logs keep each meaning, those that say it best first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TIME = ("@timestamp", "timestamp", "time", "ts", "@t", "datetime", "eventtime", "asctime", "date",
         "t", "starttime", "timelocal", "timeiso8601", "logtime", "created", "timeunixnano",
         "startedat", "edgestarttimestamp", "edgeendtimestamp", "stagetimestamp",
         "requestreceivedtimestamp", "timecreated", "timegenerated", "realtimetimestamp", "observedtime", "observedtimeunixnano", "prefixtime")  # fmt: skip
LEVEL = ("level", "severity", "loglevel", "levelname", "lvl", "severitytext", "severitynumber", "@l", "sev",
          "priority", "errorseverity", "leveldisplayname")  # fmt: skip
STATUS = ("status", "statuscode", "httpstatus", "httpstatuscode", "httpresponsestatuscode",
           "responsestatus", "responsecode", "responsestatuscode", "resstatus", "resstatuscode",
           "httpresponsestatus", "edgeresponsestatus", "code", "rc", "sc")  # fmt: skip
DURATION = ("duration", "latency", "elapsed", "responsetime", "requesttime", "took", "timetaken",
             "rt", "durationms", "latencyms", "elapsedms", "processingtime", "requestduration",
             "totaltime", "querytime", "eventduration", "runtime", "responsetimems", "dur")  # fmt: skip
TRACE = ("traceid", "trace", "requestid", "reqid", "xrequestid", "correlationid", "correlation",
          "spanid", "transactionid", "txid", "rid")  # fmt: skip
ENDPOINT = ("path", "endpoint", "route", "httproute", "url", "uri", "requestpath", "urlpath",
             "httptarget", "httppath", "requesturi", "clientrequesturi", "clientrequestpath", "httpurl", "requesturl", "target",
             "request", "handler", "requrl")  # fmt: skip
MESSAGE = ("message", "msg", "shortmessage", "@m", "@mt", "event", "text", "log", "body", "errormessage",
            "errormsg", "error", "err")  # fmt: skip
GROUPS = {
    "upstream": ("upstream", "backend", "dependency", "peer", "peerservice", "upstreamhost",
                 "upstreamaddr", "upstreamname", "downstream", "upstreamcluster",
                 "serveraddress", "provider", "remoteservice", "targetservice"),
    "segment": ("segment", "usersegment", "customersegment", "tier", "usertier", "customertier",
                "plan", "tenant", "cohort", "customertype", "usertype", "accounttype"),
    "region": ("region", "zone", "az", "datacenter", "dc", "country", "cloudregion", "geo",
               "availabilityzone", "cloudavailabilityzone", "market"),
    "instance": ("instance", "pod", "podname", "dyno", "host", "hostname", "node", "server", "worker",
                 "workerid", "container", "serviceinstanceid", "k8spodname", "pid"),
    "version": ("version", "release", "build", "commit", "serviceversion", "appversion"),
    "service": ("service", "servicename", "sourcename", "providername", "app", "application", "component", "logger"),
}  # fmt: skip

NAMES = {"time": TIME, "level": LEVEL, "status": STATUS, "duration": DURATION, "trace_id": TRACE,
         "endpoint": ENDPOINT, "message": MESSAGE, **GROUPS}  # fmt: skip
ROLES = ("time", "level", "status", "duration", "trace_id", "endpoint", "message", *GROUPS)


_ID_NAMES = {"traceid", "requestid", "reqid", "xrequestid", "correlationid"}
_UNITS = ("ms", "us", "ns", "s", "sec", "secs", "seconds", "millis", "micros", "nanos")


def name_rank(name: str, names: tuple[str, ...]) -> int | None:
    """How well a name fits: its place in the list of names, longer paths after short ones."""
    plain = re.sub(r"[^a-z0-9@]", "", name.lower())
    if plain in names:
        return names.index(plain) * 2
    if name.startswith("prefix."):  # what stood before the record, not in it
        return None
    for given in (name, name.rpartition(".")[2]):
        plain = re.sub(r"[^a-z0-9@]", "", given.lower())
        # All endings: what ends in "duration" and "s" ends in "ns" too.
        stripped = (plain.removesuffix(unit) for unit in _UNITS if plain.endswith(unit))
        for form in (plain, *stripped):
            if form in names:
                return names.index(form) * 2 + (given != name)
    return None


def message_name(names: Iterable[str]) -> str:
    """Which of some fields is most likely what records say; `message` where none is."""
    ranked = [(rank, name) for name in names if (rank := name_rank(name, MESSAGE)) is not None]
    return min(ranked, default=(0, "message"))[1]


def is_id(name: str) -> bool:
    """Whether a field of that name holds the id of a request."""
    plain = "".join(c for c in name.lower().rpartition(".")[2] if c.isalnum())
    return plain in _ID_NAMES
