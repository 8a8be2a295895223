"""Calls to the providers over HTTP/1.1 or HTTPS, with connections kept open per thread."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import telemetry

if TYPE_CHECKING:
    from .config import Provider

_FORWARDED = ("x-region", "x-user-segment", "x-client-id", "traceparent")
_ENDS_SOON_S = 7 * 86400.0


class ProviderTimeout(Exception):  # noqa: N818 - it is what happened, in the caller's words
    """No answer within the time allowed."""


class ProviderFailed(Exception):  # noqa: N818 - as above
    """The provider answered with an error, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said."""

    status: int
    reference: str


class ProviderClient:
    """Blocking calls; each thread keeps its own connection to each provider."""

    def __init__(self, timeout_s: float, *, blocking: bool, ca_file: str | None = None) -> None:
        """All calls share one time limit, in seconds; `ca_file` says whose certificates count.

        With `blocking` the kernel enforces it on a blocking receive, as C clients have it;
        otherwise Python's sockets poll before they receive.
        """
        self._timeout_s = timeout_s
        self._blocking = blocking
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca_file:
            self._tls.load_verify_locations(ca_file)
        self._local = threading.local()

    def call(self, provider: Provider, path: str, headers: dict[str, str]) -> Answer:
        """Ask the provider; raises ProviderTimeout or ProviderFailed."""
        sent = {k: headers[k] for k in _FORWARDED if k in headers}
        started = time.monotonic()
        status = "error"
        try:
            answer = self._exchange(provider, path, sent)
            status = str(answer.status)
        except ProviderTimeout:
            status = "timeout"
            raise
        finally:
            telemetry.observe_call(provider, status, time.monotonic() - started)
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            raise ProviderFailed(f"{provider.name} answered {answer.status}")
        return answer

    def _exchange(self, provider: Provider, path: str, headers: dict[str, str]) -> Answer:
        for attempt in (1, 2):
            started, reused = time.monotonic(), False
            try:
                connection, reused = self._connection(provider)
                connection.request("POST", path, b"{}", headers)
                response = connection.getresponse()
                body = json.loads(response.read())
                if response.will_close:
                    self._drop(provider)  # it would connect again by itself, without our settings
                return Answer(response.status, str(body.get("reference", "")))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._drop(provider)
                if time.monotonic() - started >= self._timeout_s * 0.98:
                    raise ProviderTimeout(provider.name) from error
                # A connection that idled may have been closed by the peer: once more, freshly.
                if attempt == 1 and reused:
                    continue
                raise ProviderFailed(f"{provider.name}: {error}") from error
        raise AssertionError("unreachable")

    def _connection(self, provider: Provider) -> tuple[http.client.HTTPConnection, bool]:
        kept: dict[str, http.client.HTTPConnection] = self._local.__dict__
        if provider.name in kept:
            return kept[provider.name], True
        limit_s = None if self._blocking else self._timeout_s
        host, port = provider.host, provider.port
        if provider.tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=limit_s, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=limit_s)
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket):
            _look_at_end(provider, connection.sock)
        if self._blocking:
            seconds, rest = divmod(self._timeout_s, 1)
            limit = struct.pack("@ll", int(seconds), int(rest * 1e6))
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        kept[provider.name] = connection
        return connection, False

    def _drop(self, provider: Provider) -> None:
        connection = self._local.__dict__.pop(provider.name, None)
        if connection is not None:
            connection.close()


def _look_at_end(provider: Provider, sock: ssl.SSLSocket) -> None:
    """Warn of a certificate that is valid, but not for long."""
    certificate = sock.getpeercert() or {}
    left_s = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
    if left_s < _ENDS_SOON_S:
        telemetry.log(
            logging.WARNING,
            f"certificate of {provider.name} expires in {left_s / 3600:.1f} h",
            upstream=provider.name,
            peer=f"{provider.host}:{provider.port}",
        )
