"""The WSGI application: routes, the steps of a payment, one log line a request."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import socket
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from . import telemetry
from .audits import AuditTrail
from .config import Config, Provider, Route, Watch, differences, load
from .flags import Flags
from .idempotency import IdempotencyKeys
from .providers import ProviderClient, ProviderFailed, ProviderTimeout
from .rates import RateTable
from .receipts import ReceiptJournal
from .steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FIELDS = {  # header → name of the field in the log
    "HTTP_X_REGION": "region",
    "HTTP_X_USER_SEGMENT": "user_segment",
    "HTTP_X_CLIENT_VERSION": "client_version",
    "HTTP_X_CURRENCY": "currency",
    "HTTP_USER_AGENT": "user_agent",
}
_FORWARDED = {
    "HTTP_X_REGION": "x-region",
    "HTTP_X_USER_SEGMENT": "x-user-segment",
    "HTTP_TRACEPARENT": "traceparent",
}


@dataclass(slots=True)
class _Exchange:
    """One request on its way through the service."""

    environ: dict[str, Any]
    status: HTTPStatus = HTTPStatus.OK
    message: str = "request completed"
    provider: Provider | None = None
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def trace_id(self) -> str:
        parts = str(self.environ.get("HTTP_TRACEPARENT", "")).split("-")
        return parts[1] if len(parts) > 1 else os.urandom(16).hex()


class PaymentService:
    """What one worker holds: clients, tables and flags."""

    def __init__(self, config: Config) -> None:
        """Connect nothing yet; start the background threads."""
        telemetry.start()
        self._config = config
        self._flags = Flags(config.flags_file)
        self._providers = _client(config)
        self._keys = IdempotencyKeys(config.store_socket)
        self._rates = RateTable(config.store_socket)
        self._receipts = ReceiptJournal(config.store_socket)
        self._audits = AuditTrail()
        self._steps = Steps(config, self._flags)
        self._instance = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
        self._routes = [(_pattern(r.template), r) for r in config.routes]
        self._watch = Watch(config, self._reload)

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Handle one request, count it and log it."""
        started = time.monotonic()
        exchange = _Exchange(environ)
        if environ["PATH_INFO"] == "/healthz":
            return _reply(exchange, start_response, {"status": "ok", "pid": os.getpid()})
        if environ["PATH_INFO"] == "/readyz":
            return _reply(exchange, start_response, self._reached())
        telemetry.ACTIVE.inc()
        route = self._route(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        try:
            self._process(exchange, route)
        finally:
            telemetry.ACTIVE.dec()
            seconds = time.monotonic() - started
            template = route.template if route else "unmatched"
            telemetry.observe_request(environ["REQUEST_METHOD"], template, exchange.status, seconds)
            self._log(exchange, template, seconds)
        return _reply(exchange, start_response, exchange.body)

    def _reached(self) -> dict[str, str]:
        """Whether each provider answers; leaves this thread with open connections to them."""
        found = {}
        for name, provider in self._config.providers.items():
            try:
                self._providers.call(provider, "/", {})
                found[name] = "ok"
            except (ProviderTimeout, ProviderFailed) as error:
                found[name] = str(error)
        return found

    def _reload(self, old: Config, new: Config) -> None:
        """Go on with new settings; requests that are under way end with the old ones."""
        self._config, self._providers = new, _client(new)
        self._routes = [(_pattern(r.template), r) for r in new.routes]
        what = f": {', '.join(differences(old, new))}" if new.log_changes else ""
        telemetry.log(
            logging.INFO,
            f"configuration reloaded from service.json{what}",
            instance=self._instance,
        )

    def _route(self, method: str, path: str) -> Route | None:
        for pattern, route in self._routes:
            if route.method == method and pattern.fullmatch(path):
                return route
        return None

    def _process(self, exchange: _Exchange, route: Route | None) -> None:
        if route is None or random.random() < self._config.not_found_share:  # noqa: S311
            exchange.status, exchange.message = HTTPStatus.NOT_FOUND, "no such object"
            return
        reference = os.urandom(8).hex()
        if "keys" in route.uses:
            shared = self._flags.enabled("shared-idempotency-keys")
            self._keys.reserve(reference, shared=shared)
        if "rates" in route.uses:
            exact = self._flags.enabled("exact-rates")
            currency = str(exchange.environ.get("HTTP_X_CURRENCY", "EUR"))
            exchange.body["rate"] = self._rates.lookup(currency, exact=exact)
        failed = self._steps.take(route.uses, reference)
        if failed is not None:
            exchange.status, exchange.message = failed
            return
        self._settle(exchange, route)
        if exchange.status is HTTPStatus.OK and "receipts" in route.uses:
            confirmed = self._flags.enabled("confirmed-receipts")
            self._receipts.append(reference, exchange.message, confirmed=confirmed)
        for flag, whole in (("whole-audits", True), ("recent-audits", False)):
            if exchange.status is HTTPStatus.OK and self._flags.enabled(flag):
                self._audits.keep(reference, whole=whole)

    def _settle(self, exchange: _Exchange, route: Route) -> None:
        names, weights = zip(*route.providers, strict=True)
        config = self._config
        provider = config.providers[random.choices(names, weights)[0]]  # noqa: S311
        exchange.provider = provider
        environ = exchange.environ
        headers = {name: environ[key] for key, name in _FORWARDED.items() if key in environ}
        headers["x-client-id"] = self._instance
        try:
            answer = self._providers.call(provider, environ["PATH_INFO"], headers)
        except ProviderTimeout:
            exchange.status = HTTPStatus.GATEWAY_TIMEOUT
            exchange.message = (
                f"{provider.name} timed out after {config.timeout_s} s "
                f"({provider.host}:{provider.port})"
            )
        except ProviderFailed as error:
            exchange.status, exchange.message = HTTPStatus.BAD_GATEWAY, str(error)
        else:
            exchange.body["reference"] = answer.reference

    def _log(self, exchange: _Exchange, template: str, seconds: float) -> None:
        environ, provider = exchange.environ, exchange.provider
        fields: dict[str, Any] = {
            "instance": self._instance,
            "trace_id": exchange.trace_id,
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
        }
        if self._config.log_route:
            fields["route"] = template
        fields["status"] = int(exchange.status)
        fields["duration_ms"] = round(seconds * 1000, 1)
        if provider is not None:
            fields["upstream"] = provider.name
            fields["peer"] = f"{provider.host}:{provider.port}"
        fields |= {name: environ[key] for key, name in _FIELDS.items() if key in environ}
        level = logging.INFO
        if exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            level = logging.ERROR
        elif exchange.status >= HTTPStatus.BAD_REQUEST:
            level = logging.WARNING
        telemetry.log(level, exchange.message, **fields)


def _client(config: Config) -> ProviderClient:
    return ProviderClient(
        config.timeout_s, blocking=config.blocking_sockets, ca_file=config.ca_file
    )


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{[a-z]+\}", "[^/]+", template))


def _reply(
    exchange: _Exchange, start_response: Callable[..., Any], body: dict[str, Any]
) -> Iterable[bytes]:
    payload = json.dumps(body).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(payload)))]
    if exchange.provider is not None:
        headers.append(("via", f"1.1 {exchange.provider.name}"))
    start_response(f"{exchange.status.value} {exchange.status.phrase}", headers)
    return (payload,)


_service = PaymentService(load())


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI entry point; gunicorn imports this module in each worker."""
    return _service.answer(environ, start_response)
