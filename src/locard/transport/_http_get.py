"""One HTTP GET, streamed to a python3 of its own so that it can be killed; standard library only.

Arguments: GET URL MAX_BYTES. The body goes to standard output, one JSON line with the status to
standard error, before it `{"connected": true}` once there is a connection and `{"answered": STATUS}` once the
answer begins. A metrics page in protobuf is given as text: `far/exposition_protobuf.py` stands before this in one
namespace. An answer that does not
begin as HTTP is not read and not repeated. No redirect is followed, no proxy is used: it must reach the address as written.
"""

import base64
import http.client
import json
import socket
import sys
import zlib
from urllib.parse import unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from locard.far.exposition_protobuf import is_protobuf, text_of_protobuf
    from locard.far.tls_access import tls_context

_HTTP = b"HTTP/"
_SLOW_DOWN = 429
_PIECE = 1 << 16  # bytes that are read at once
_MOST_WORD = 200  # characters of a header
# Native histograms come in protobuf only, exemplars in OpenMetrics too; names in UTF-8 where they are asked for.
ACCEPT = ",".join(
    (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.9",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.8",
        "application/openmetrics-text;version=0.0.1;q=0.7",
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6",
        "text/plain;version=0.0.4;q=0.5",
        "*/*;q=0.1",
    )
)


class NoHTTPError(Exception):
    """The other end speaks something else."""


def say(**words: object) -> None:
    """One JSON line on standard error; flushed, since this program may be killed while it waits."""
    sys.stderr.write(json.dumps(words) + "\n")
    sys.stderr.flush()


def get(url: str, limit: int) -> "Dict[str, Any]":
    """Fetch; returns status, content_type, body, form, truncated (more than the limit came), cut (the end is missing) and more."""
    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.hostname or "", parts.port)
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    headers = {"User-Agent": globals().get("AGENT", "locard")}  # set before this source
    if parts.username is not None:
        words = unquote(parts.username) + ":" + unquote(parts.password or "")
        headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    headers["Accept"] = ACCEPT
    headers.update(globals().get("HEADERS") or {})  # as above
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
    say(answered=answer.status)
    framed = answer.chunked or answer.length is not None  # else it ends where the connection does
    body, cut = _body(answer, limit + 1)
    found = {
        "status": answer.status,
        "content_type": answer.getheader("Content-Type", "")[:_MOST_WORD],
    }
    if answer.status == _SLOW_DOWN:
        found["retry_after"] = answer.getheader("Retry-After", "")[:_MOST_WORD]
    body, encoding, cut = _unpacked(
        body, answer.getheader("Content-Encoding", ""), limit + 1, cut=cut
    )
    if encoding:  # nobody could clean it of secrets, so it does not leave
        body, found["encoding"] = b"", encoding
    found.update(
        cut=cut, truncated=len(body) > limit, form="text", framed=bool(framed), body=body[:limit]
    )
    return _as_text(found, limit)


def _body(answer: http.client.HTTPResponse, most: int) -> "tuple[bytes, bool]":
    """The body up to a size, and whether it ends before its announced end."""
    parts = []
    size = 0
    try:
        while size < most:
            part = answer.read(min(_PIECE, most - size))
            if not part:
                break
            parts.append(part)
            size += len(part)
    except http.client.IncompleteRead as error:
        return b"".join([*parts, error.partial])[:most], True
    except OSError:
        return b"".join(parts), True
    return b"".join(parts), size < most and bool(answer.length)


def _unpacked(body: bytes, encoding: str, most: int, *, cut: bool) -> "tuple[bytes, str, bool]":
    """A body that was packed though nobody asked for it, what it was packed with where it stays so, whether it is cut."""
    encoding = encoding.strip().lower()
    if body[:2] != b"\x1f\x8b" and encoding not in {"gzip", "x-gzip", "deflate"}:
        return body, "" if encoding in {"", "identity"} else encoding[:_MOST_WORD], cut
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = unpacker.decompress(body, most)
    except zlib.error:
        return body, encoding[:_MOST_WORD] or "gzip", cut
    return plain, "", cut or (len(plain) < most and not unpacker.eof)


def _is_text(body: bytes) -> bool:
    try:
        return "\0" not in body.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _as_text(found: "Dict[str, Any]", limit: int) -> "Dict[str, Any]":
    """A page in protobuf as lines of text: told by its bytes: the content type may lie or be missing."""
    body = found["body"]
    said = "protobuf" in found["content_type"].lower() and not _is_text(body)
    if found["truncated"] or not (said or is_protobuf(body)):
        return found
    text, garbled, cut, long = text_of_protobuf(body, limit)
    found.update(
        body=text, form="protobuf", garbled=garbled, cut=found["cut"] or cut, truncated=long
    )
    return found


def _is_http(connection: http.client.HTTPConnection) -> None:
    """Look at the first bytes without taking them, and go on only if they are HTTP's."""
    if isinstance(connection, http.client.HTTPSConnection):
        return  # what has spoken TLS
    first = connection.sock.recv(len(_HTTP), socket.MSG_PEEK)
    if first and not _HTTP.startswith(first) and not first.startswith(_HTTP):
        raise NoHTTPError


def _connect(scheme: str, host: str, port: "int | None") -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=30, context=tls_context())
    return http.client.HTTPConnection(host, port, timeout=30)


def main(argv: "list[str]") -> int:
    """Exit 0 when there was an answer of any status, 1 when there was none."""
    try:
        url = globals().get("URL", argv[1])  # set before this source when it holds a secret
        found = get(url, int(argv[2]))
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
    sys.stdout.buffer.write(found.pop("body"))
    say(**found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
