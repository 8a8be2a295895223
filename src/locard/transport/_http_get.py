"""One HTTP GET, streamed to a python3 of its own so that it can be killed; standard library only.

Arguments: GET URL MAX_BYTES. The body goes to standard output, one JSON line with the status to
standard error, before it `{"connected": true}` once there is a connection. An answer that does not
begin as HTTP is not read and not repeated. No redirect is followed, no proxy is used: it must reach the address as written.
"""

import base64
import http.client
import json
import socket
import ssl
import sys
from urllib.parse import unquote, urlsplit

_HTTP = b"HTTP/"


class NoHTTPError(Exception):
    """The other end speaks something else."""


def say(**words: object) -> None:
    """One JSON line on standard error; flushed, since this program may be killed while it waits."""
    sys.stderr.write(json.dumps(words) + "\n")
    sys.stderr.flush()


def get(url: str, limit: int) -> "tuple[int, str, bytes, bool]":
    """Fetch; returns (status, content type, body, truncated)."""
    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.hostname or "", parts.port)
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    headers = {"User-Agent": globals().get("AGENT", "locard")}  # set before this source
    if parts.username is not None:
        words = unquote(parts.username) + ":" + unquote(parts.password or "")
        headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    headers["Accept"] = "application/openmetrics-text;q=0.5,text/plain;version=0.0.4;q=1,*/*;q=0.1"
    connection.connect()
    say(connected=True)
    connection.request("GET", path, headers=headers)
    _is_http(connection)
    try:
        answer = connection.getresponse()
    except http.client.RemoteDisconnected:
        raise
    except http.client.BadStatusLine:
        raise NoHTTPError from None  # the words of that error hold what was sent
    body = answer.read(limit + 1)
    return answer.status, answer.getheader("Content-Type", ""), body[:limit], len(body) > limit


def _is_http(connection: http.client.HTTPConnection) -> None:
    """Look at the first bytes without taking them, and go on only if they are HTTP's."""
    if isinstance(connection, http.client.HTTPSConnection):
        return  # what has spoken TLS
    first = connection.sock.recv(len(_HTTP), socket.MSG_PEEK)
    if first and not _HTTP.startswith(first) and not first.startswith(_HTTP):
        raise NoHTTPError


def _connect(scheme: str, host: str, port: "int | None") -> http.client.HTTPConnection:
    if scheme == "https":
        tls = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=30, context=tls)
    return http.client.HTTPConnection(host, port, timeout=30)


def main(argv: "list[str]") -> int:
    """Exit 0 when there was an answer of any status, 1 when there was none."""
    try:
        url = globals().get("URL", argv[1])  # set before this source when it holds a secret
        status, kind, body, truncated = get(url, int(argv[2]))
    except NoHTTPError:
        say(problem="the answer is not HTTP", how="no HTTP")
        return 1
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError)):
            how = "closed"
        else:
            how = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
        words = str(error) if isinstance(error, (OSError, ValueError)) else ""
        say(problem=words or type(error).__name__, how=how)
        return 1
    sys.stdout.buffer.write(body)
    say(status=status, content_type=kind, truncated=truncated)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
