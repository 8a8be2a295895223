"""Asks one HTTP API, gently: one request at a time, bounded in time and size; standard library only, Python 3.6.

URL, AGENT, HEADERS and TLS are set before this source, and BESIDE: what opens the door of other addresses,
by their scheme and host. What is meant for one address is sent to no other, and no redirect is followed.
"""

import base64
import http.client
import json
import re
import signal
import socket
import ssl
import time
import zlib
from urllib.parse import unquote, urlencode, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from locard.far.tls_access import tls_context

    URL, HEADERS = "", {}  # type: str, dict[str, str]
    AGENT, BESIDE = "", {}  # type: str, dict[str, dict[str, str]]

MOST_ANSWER = 64 << 20  # bytes of one answer, unpacked
MOST_REQUEST_S = 30.0
MOST_WARNINGS = 5
# Pages for people that lie beside an API: who copies an address from a browser has them in it.
OF_PEOPLE = re.compile(r"/+(?:graph|query|alerts|targets|rules|status|vmui|api/v1(?:/.*)?)?/*$")
# An escaped backslash, a whole character of two halves, or one half (of HALF letters).
HALVES = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..")
HALF = len("\\ud800")


class Refused(Exception):  # noqa: N818 - what is said, not what is wrong here
    """The server said no. `status` 0: there was no answer; -1: it is not the API's."""

    def __init__(self, status: int, words: str, how: str = "") -> None:
        """`words` are the server's; `how`: late, cut, big, closed, tls, files, down, ahead, match."""
        Exception.__init__(self, words)
        self.status, self.words, self.how = status, words, how

    @property
    def ends(self) -> bool:
        """Whether the server can bear no more, or cannot be asked at all: nothing else is asked then."""
        return self.status in (0, 401, 403, 422, 429) or self.status >= 500


class Slow(Exception):  # noqa: N818 - as above
    """The time of a request is over."""


def ring(*_: "Any") -> None:
    """The alarm of a request."""
    raise Slow


class Server:
    """One connection that is kept open; one question at a time."""

    def __init__(self, url: str, until: float) -> None:
        """`until`: monotonic seconds after which nothing more is asked."""
        self.parts = urlsplit(url)
        self.until, self.base = until, OF_PEOPLE.sub("", self.parts.path)
        own = origin(url) == origin(globals().get("URL", ""))
        self.headers = dict(HEADERS if own else BESIDE.get(origin(url), {}))
        if self.parts.username is not None:
            words = unquote(self.parts.username) + ":" + unquote(self.parts.password or "")
            self.headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
        self.open = None  # type: Optional[http.client.HTTPConnection]
        self.asked, self.bytes, self.answered = 0, 0, False
        self.warned = []  # type: list[str]

    def left(self) -> float:
        """Seconds that it may still take."""
        return self.until - time.monotonic()

    def connection(self, seconds: float) -> "http.client.HTTPConnection":
        """The connection, opened where it is not."""
        if self.open is None:
            host, port = self.parts.hostname or "", self.parts.port
            if self.parts.scheme == "https":
                try:
                    context = tls_context()
                except ValueError as error:
                    raise Refused(0, str(error), "files") from None
                self.open = http.client.HTTPSConnection(
                    host, port, timeout=seconds, context=context
                )
            else:
                self.open = http.client.HTTPConnection(host, port, timeout=seconds)
        if self.open.sock is not None:
            self.open.sock.settimeout(seconds)
        return self.open

    def get(self, path: str, **asked: "Any") -> "tuple[int, dict[str, str], bytes]":
        """An answer whole; raises Refused where there is none."""
        if self.left() <= 0:
            raise Refused(0, "out of time", "late")
        pairs = [(k, v) for k, vs in asked.items() for v in (vs if isinstance(vs, list) else [vs])]
        body = urlencode([(k.replace("__", "[]"), v) for k, v in pairs])
        target = self.base + path + ("?" + body if body else "")
        headers = {"User-Agent": AGENT, "Accept": "application/json"}
        if self.parts.hostname not in ("127.0.0.1", "localhost", "::1"):  # there it only costs
            headers["Accept-Encoding"] = "gzip"
        headers.update(self.headers)
        kept = self.open is not None
        try:
            return self.exchange(target, headers)
        except Refused as no:
            if no.how != "closed" or not kept:
                raise
        return self.exchange(
            target, headers
        )  # one that was kept open may have been closed meanwhile

    def exchange(
        self, target: str, headers: "dict[str, str]"
    ) -> "tuple[int, dict[str, str], bytes]":
        """One request and its answer, or why there is none."""
        seconds = max(0.5, min(MOST_REQUEST_S, self.left()))
        whole = False
        # A socket's time-out is for each piece, and a server may send a byte now and then for ever.
        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            link = self.connection(seconds)
            self.asked += 1
            link.request("GET", target, headers=headers)
            answer = link.getresponse()
            data = answer.read(MOST_ANSWER + 1)
            signal.setitimer(signal.ITIMER_REAL, 0)
            found = {k.lower(): v for k, v in answer.getheaders()}
            if len(data) > MOST_ANSWER:
                raise Refused(0, "the answer has more than %d MB" % (MOST_ANSWER >> 20), "big")
            if answer.length:  # read(n) does not tell
                wanted = len(data) + answer.length
                words = "the answer was cut after %d of %d bytes" % (len(data), wanted)
                raise Refused(0, words, "cut")
            whole = True
        except (Slow, socket.timeout):
            raise Refused(0, "no answer within %.0f s" % seconds, "late") from None
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            raise Refused(0, "the connection was closed before the answer", "closed") from None
        except http.client.IncompleteRead as error:
            words = "the answer was cut after %d bytes" % len(error.partial)
            raise Refused(0, words, "cut") from None
        except http.client.InvalidURL:
            raise Refused(0, "the URL cannot be asked: it holds characters that none has") from None
        except http.client.HTTPException as error:
            words = "the answer is not HTTP (%s)" % type(error).__name__
            raise Refused(0, words, "cut") from None
        except ssl.SSLError as error:
            words = getattr(error, "verify_message", "") or error.reason or str(error)
            raise Refused(0, str(words).replace("_", " ").lower(), "tls") from None
        except OSError as error:
            raise Refused(0, error.strerror or str(error) or type(error).__name__, "down") from None
        except ValueError as error:
            # Its words may quote what was to be sent: a header, a token.
            words = "the request cannot be sent (%s)" % type(error).__name__
            raise Refused(0, words) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if not whole:
                self.shut()
        if found.get("content-encoding", "") == "gzip":
            data = unpacked(data)
        self.bytes += len(data)
        return answer.status, found, data

    def shut(self) -> None:
        """Let go of the connection."""
        if self.open is not None:
            self.open.close()
            self.open = None

    def ask(self, path: str, **asked: "Any") -> "Any":
        """The `data` of an answer of the API; raises Refused."""
        status, headers, body = self.get(path, **asked)
        said = as_json(body)
        if status == 200 and isinstance(said, dict) and said.get("status") == "success":
            self.keep_warnings(said)
            return said.get("data")
        raise Refused(status if status != 200 else -1, words_of(status, headers, body, said))

    def keep_warnings(self, said: "dict[str, Any]") -> None:
        """What the server says of its own answer: that it may lack something."""
        warnings = said.get("warnings")
        every = [str(w)[:200] for w in warnings] if isinstance(warnings, list) else []
        if said.get("isPartial"):
            every.append("the answer is partial (isPartial)")
        for words in every:
            if words not in self.warned and len(self.warned) < MOST_WARNINGS:
                self.warned.append(words)

    def rows(self, path: str, **asked: "Any") -> "list[dict[str, Any]]":
        """The rows of a query's answer, labels as texts; raises Refused where it has another form."""
        data = self.ask(path, **asked)
        found = data.get("result") if isinstance(data, dict) else None
        if not isinstance(found, list):
            raise Refused(-1, "an answer of another form than the API's (no list of results)")
        for row in found:
            if not isinstance(row, dict) or not isinstance(row.get("metric"), dict):
                raise Refused(-1, "an answer of another form than the API's (a row without labels)")
            row["metric"] = {str(k): str(v) for k, v in row["metric"].items()}
        return found

    def optional(self, path: str, **asked: "Any") -> "Any":
        """As `ask`, or what is said without a status; None where it is not served. Raises Refused where no more may be asked."""
        status, headers, body = self.get(path, **asked)
        said = as_json(body)
        if status in (422, 429) or status >= 502:
            raise Refused(status, words_of(status, headers, body, said))
        if status != 200 or not isinstance(said, dict):
            return None
        return said.get("data", said)


def origin(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme + "://" + parts.netloc.rpartition("@")[2]


def as_json(body: bytes) -> "Any":
    """What a text holds; None where it is no JSON. Halves of characters, which nothing can print, are replaced."""
    text = body.decode("utf-8", "replace")
    if "\\ud" in text or "\\uD" in text:
        text = HALVES.sub(lambda m: "\\ufffd" if len(m.group()) == HALF else m.group(), text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def unpacked(data: bytes) -> bytes:
    """What gzip holds; raises Refused where it is cut or far too much."""
    reader = zlib.decompressobj(31)
    try:
        found = reader.decompress(data, MOST_ANSWER + 1)
    except zlib.error:
        raise Refused(0, "the answer is damaged: it is no gzip", "cut") from None
    if len(found) > MOST_ANSWER:
        raise Refused(0, "the answer has more than %d MB" % (MOST_ANSWER >> 20), "big")
    if not reader.eof:
        raise Refused(0, "the answer is cut: its gzip ends early", "cut")
    return found


def words_of(status: int, headers: "dict[str, str]", body: bytes, said: "Any") -> str:
    """What a server says that does not answer."""
    if isinstance(said, dict) and said.get("error"):
        return str(said["error"])[:300]
    if status == 200:
        kind = headers.get("content-type", "of no type").split(";")[0]
        return "an answer that is not the API's (%s, %d bytes)" % (kind, len(body))
    if 300 <= status < 400:
        there = headers.get("location", "nowhere").partition("?")[0][:200]
        return "it sends on to %s, which is not followed" % there
    text = " ".join(re.sub(rb"<[^>]*>", b" ", body[:2000]).decode("utf-8", "replace").split())
    return text[:200]


def no_words(no: "Refused") -> str:
    """A refusal in words."""
    return ("HTTP %d %s" % (no.status, no.words)).strip() if no.status > 0 else no.words
