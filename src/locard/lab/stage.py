"""The harness: starts what a scene names, waits until all of it is ready, and ends it again."""

from __future__ import annotations

import importlib.util
import json
import resource
import shlex
import shutil
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from locard.lab import processes
from locard.lab.certificates import Authority
from locard.lab.errors import LabError

if TYPE_CHECKING:
    from types import TracebackType

    from locard.lab.processes import Child
    from locard.lab.scene import Load, Service

_PROGRAMS = Path(__file__).parent / "programs"
_READY_S = 30.0  # for each step; a healthy one takes under two seconds
_CERTIFIED_S = 60 * 86400.0
_CHECKS = 3  # of each thread of the service on average


class Stage:
    """A running service with its upstreams and its traffic, in a directory of its own.

    A context manager: all processes are gone after it, and the directory too unless `keep`.
    """

    def __init__(self, service: Service, load: Load, seed: int, *, keep: bool = False) -> None:
        """Start nothing yet; raises LabError if gunicorn or prometheus_client is missing."""
        require_programs()
        self._service, self._load, self._seed, self._keep = service, load, seed, keep
        self._children: dict[str, Child] = {}
        self._flags = dict(service.flags)
        self._settings: dict[str, Any] = {}
        self._authority: Authority | None = None
        # One instance has no name of its own: its workers are known by host and pid.
        self._instances = service.instances or ("payment-service",)
        self.root = Path(tempfile.mkdtemp(prefix="payments-"))
        self.log = self.root / "payment-service.log"
        self.records = self.root / "client" / "requests.jsonl"
        self.http: list[tuple[str, int]] = []
        self.metrics_url = ""

    @property
    def master(self) -> int:
        """The pid of the gunicorn master, of the first instance where there are several."""
        return self._children[self._instances[0]].process.pid

    @property
    def pids(self) -> tuple[int, ...]:
        """The pids of all processes that the lab started, workers included."""
        return tuple(p for c in self._children.values() for p in processes.family(c.process.pid))

    def __enter__(self) -> Self:
        """Start the store agent, the upstreams and the service, and wait for them."""
        try:
            self._prepare()
            self._start_agents()
            self._start_service()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        self.close()

    def close(self) -> None:
        """End all processes, the traffic first, and remove the directory."""
        order = sorted(self._children.values(), key=lambda c: c.name != "traffic")
        processes.end(order)
        self._children.clear()
        if not self._keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def start_traffic(self) -> None:
        """Begin the open-loop load."""
        plan = {
            "addresses": self.http,
            "seed": self._seed,
            "rate_per_s": self._load.rate_per_s,
            "patience_s": self._load.patience_s,
            "retries": self._load.retries,
            "retry_ms": self._load.retry_ms,
            "records": str(self.records),
            "routes": {f"{r.method} {r.template}": r.share for r in self._service.routes},
            "headers": {name: dict(shares) for name, shares in self._load.headers},
        }
        child = self._start("traffic", "traffic.py")
        child.tell(json.dumps(plan))
        child.first_line(_READY_S)

    def stop_traffic(self) -> None:
        """End the arrivals and wait until every request is answered or given up."""
        child = self._children.pop("traffic")
        longest_s = (self._load.patience_s + self._load.retry_ms / 500) * (1 + self._load.retries)
        processes.end([child], grace_s=longest_s + 5, politely=True)

    def wait(self, seconds: float) -> None:
        """Let time pass; raises LabError as soon as a process ends that should not."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for child in self._children.values():
                if child.process.poll() is not None:
                    raise child.died()
            time.sleep(min(0.5, left))

    def tell(self, process: str, message: dict[str, Any]) -> None:
        """Change settings of an upstream (by name), of the store agent (`store`) or `traffic`."""
        self._children[process].tell(json.dumps(message))

    def set_flag(self, name: str, share: float) -> None:
        """Turn a feature flag on for a share of the requests."""
        self._flags[name] = share
        self._write("flags.json", {"flags": {n: _flag(s) for n, s in self._flags.items()}})

    def configure(self, setting: str, value: object) -> None:
        """Change one setting (dotted) in the service's configuration file, which it reloads."""
        *parts, last = setting.split(".")
        place: Any = self._settings
        for part in parts:
            named = isinstance(place, list)
            place = next(p for p in place if p["name"] == part) if named else place[part]
        place[last] = value
        self._write("service.json", self._settings)

    def certify(self, upstream: str, valid_s: float) -> None:
        """Give a TLS upstream a new certificate that ends so many seconds from now (or before)."""
        assert self._authority is not None  # noqa: S101 - a scenario's mistake
        self.tell(upstream, {"certificate": str(self._authority.issue(upstream, valid_s))})

    def fill_log(self, instance: str) -> None:
        """Let no process of this instance write any further into the log."""
        size = self.log.stat().st_size
        for pid in processes.family(self._children[instance].process.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))

    def _prepare(self) -> None:
        shutil.copytree(_PROGRAMS / "payment_service", self.root / "payment_service")
        for name in ("provider.py", "store_agent.py", "traffic.py"):
            shutil.copy(_PROGRAMS / name, self.root)
        for name in ("state", "client", *(f"metrics/{name}" for name in self._instances)):
            (self.root / name).mkdir(parents=True)
        self._write("flags.json", {"flags": {n: _flag(s) for n, s in self._flags.items()}})
        if any(upstream.tls for upstream in self._service.upstreams):
            self._authority = Authority(self.root / "tls")

    def _start(self, name: str, program: str, *arguments: str) -> Child:
        argv = [sys.executable, str(self.root / program), *arguments]
        child = processes.start(
            name, argv, cwd=self.root / "state", stderr=self.root / "state" / f"{name}.err"
        )
        self._children[name] = child
        return child

    def _start_agents(self) -> None:
        store = self._start("store", "store_agent.py")
        socket_path = str(self.root / "store.sock")
        write_ms = self._service.store_write_ms
        store.tell(json.dumps({"socket": socket_path, "write_ms": write_ms}))
        for upstream in self._service.upstreams:
            settings = asdict(upstream)
            if settings.pop("tls") and self._authority is not None:
                settings["certificate"] = str(self._authority.issue(upstream.name, _CERTIFIED_S))
            child = self._start(settings.pop("name"), "provider.py", upstream.name)
            child.tell(json.dumps(settings))
        store.first_line(_READY_S)

    def _start_service(self) -> None:
        ports = {
            up.name: int(self._children[up.name].first_line(_READY_S))
            for up in self._service.upstreams
        }
        self._settings = self._config(ports)
        self._write("service.json", self._settings)
        argv = [sys.executable, "-m", "gunicorn", "--name", "payment-service"]
        argv += ["-c", "python:payment_service.server", "payment_service.app:application"]
        for name in self._instances:
            env = {"PROMETHEUS_MULTIPROC_DIR": str(self.root / "metrics" / name)}
            if self._service.instances:
                env["POD_NAME"] = name
            self._children[name] = processes.start(
                "payment-service",
                argv,
                cwd=self.root,
                stderr=self.log,  # one file for lines of the service and of gunicorn, as in life
                stdout=self.log,
                env=env,
            )
        self._await_workers()

    def _config(self, ports: dict[str, int]) -> dict[str, Any]:
        service = self._service
        return {
            "workers": service.workers,
            "threads": service.threads,
            "timeout_s": service.timeout_s,
            "blocking_sockets": service.blocking_sockets,
            "log_route": service.log_route,
            "log_changes": service.log_changes,
            "not_found_share": service.not_found_share,
            "providers": [
                {"name": up.name, "host": "127.0.0.1", "port": ports[up.name], "tls": up.tls}
                for up in service.upstreams
            ],
            "routes": [
                {
                    "method": r.method,
                    "template": r.template,
                    "uses": list(r.uses),
                    "providers": [list(pair) for pair in r.upstreams],
                }
                for r in service.routes
            ],
            "store_socket": str(self.root / "store.sock"),
            "flags_file": str(self.root / "flags.json"),
            "state_dir": str(self.root / "state"),
            "ca_file": str(self._authority.bundle) if self._authority else None,
        }

    def _await_workers(self) -> None:
        """Until every worker has imported the application and its threads reach the upstreams."""
        state = self.root / "state"
        services = [self._children[name] for name in self._instances]
        deadline = time.monotonic() + _READY_S
        while len(list(state.glob("worker-*"))) < self._service.workers * len(services):
            for service in services:
                if service.process.poll() is not None or time.monotonic() > deadline:
                    raise service.died()
            time.sleep(0.05)
        # No proxy of the environment may stand between the lab and its own loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for service in services:
            address = json.loads((state / f"address-{service.process.pid}.json").read_text())
            host, port = address["http"]
            self.http.append((host, port))
            self.metrics_url = self.metrics_url or "http://{}:{}/metrics".format(
                *address["metrics"]
            )
        # As a balancer does before it sends users: else the first seconds are those of a cold start.
        checks = [f"http://{h}:{p}/readyz" for h, p in self.http] * self._service.threads
        checks *= self._service.workers * _CHECKS

        def check(url: str) -> None:
            opener.open(url, timeout=_READY_S).close()

        with ThreadPoolExecutor(len(checks) // _CHECKS) as pool:
            list(pool.map(check, checks))

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file at once, so that nobody reads half of it."""
        new = self.root / f"{name}.new"
        new.write_text(json.dumps(content, indent=2))
        new.replace(self.root / name)


def require_programs() -> None:
    """Raise LabError unless the packages of the `lab` extra are there."""
    for module, package in (("gunicorn", "gunicorn"), ("prometheus_client", "prometheus-client")):
        if importlib.util.find_spec(module) is None:
            raise LabError(
                "the lab cannot start its service",
                f"the package {package} is not installed for {sys.executable}",
                "Install it:",
                command=f"{shlex.quote(sys.executable)} -m pip install 'locard[lab]'",
            )


def _flag(share: float) -> dict[str, Any]:
    on = round(share * 1000)
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"fractional": [["on", on], ["off", 1000 - on]]},
    }
