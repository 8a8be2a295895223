"""One HTTP GET, streamed to a python3 of its own so that it can be killed; standard library only.

Arguments: GET URL MAX_BYTES. The body goes to standard output, one JSON line with the status to
standard error. No redirect is followed, no proxy is used: it must reach the address as written.
"""

import base64
import http.client
import json
import ssl
import sys
from urllib.parse import unquote, urlsplit


def get(url: str, limit: int) -> "tuple[int, str, bytes, bool]":
    """Fetch; returns (status, content type, body, truncated)."""
    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.hostname or "", parts.port)
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    headers = {"User-Agent": "locard"}
    if parts.username is not None:
        words = unquote(parts.username) + ":" + unquote(parts.password or "")
        headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    headers["Accept"] = "application/openmetrics-text;q=0.5,text/plain;version=0.0.4;q=1,*/*;q=0.1"
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read(limit + 1)
    return answer.status, answer.getheader("Content-Type", ""), body[:limit], len(body) > limit


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
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = str(error) or type(error).__name__
        sys.stderr.write(json.dumps({"problem": words}) + "\n")
        return 1
    sys.stdout.buffer.write(body)
    said = {"status": status, "content_type": kind, "truncated": truncated}
    sys.stderr.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
