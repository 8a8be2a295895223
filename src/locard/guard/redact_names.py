"""Values in free text that a name announces: `password=…`, `"api_key": "…"`, `Authorization: …`, cookies.

A value in quotes reaches to its closing quote (or to the end of a text that was cut); a bare one to the
next character that no value holds. Each place of the text is looked at a bounded number of times.
"""

# ruff: noqa: SIM905 - lists of words are read as words

from __future__ import annotations

import functools
import re
import string
from typing import TYPE_CHECKING

from locard.guard import redact_argv, secret_names
from locard.guard.secret_names import AUTH, COOKIE, is_secret, kind_of, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEMS = (
    "pass pwd pw secret token key auth cookie sess sid cred cvv cvc csc otp pin pan ssn sig phone mobile "
    "msisdn card contrase kennwort senha wachtwoord mdp haslo hasło parola salasana пароль 密码 パスワード "
    "dob birth code jwt bearer number insurance"
).split()
_ANNOUNCED = (
    r"[\w.-]{0,40}+(?P<quote>\\{0,7}[\"'`])?\]?[ \t]{0,3}"
    r"(?P<sep>=>|:=|==?|:(?![/:])|%3[dDaA]|>|,[ \t]{0,3}[\"'](?:value|val|v)[\"'][ \t]{0,3}:|[ \t](?=['\"]))"
    r"[ \t]{0,3}"
)
_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]{1,40}+)[ \t](?P<value>[^\s-][^\s\"']{0,255}+)"
)
_PAIR_OPTION = re.compile(
    r"(?<![\w-])(?P<option>-[uUa]|--(?:user|username|login|account))[ \t=][ \t]{0,3}[\"']?"
    r"(?P<pair>[^\s\"':,;]{1,64}+:[^\s\"',;]{1,256}+)"
)
_IN_QUERY = re.compile(
    r"[?&;](?P<name>key|code|hash|sig|auth|api)=(?P<value>[\w%+/=.~-]{12,512}+)", re.IGNORECASE
)
_NAME_CHARS = string.ascii_letters + string.digits + "_.-$"
_MOST_NAME = 64
_OPEN = re.compile(r"(?P<slashes>\\{0,7})(?P<quote>[\"'`])")
_OPEN_LIST = re.compile(r"\[[ ]?(?P<slashes>\\{0,7})(?P<quote>[\"'`])")
_BARE = re.compile(
    r"(?:[^\s\"'`,;&<>\\\x00]|<\*>|,(?![\s}\])]|[\w.-]{1,40}+\s?[=:]|$)|['`](?=\w)|\\(?![\"'nrt])|<(?=[^<>\s]{0,3}[^a-z<>]))++"
)
_TO_SEMICOLON = re.compile(r"[^;\s\"'][^;\n\"'=]{0,256}+(?=;)")
_XML = re.compile(r"[^<\n]{1,4096}+")
_LINE = re.compile(r"[^\r\n\x00]{0,8192}+")
_SCHEME = re.compile(
    r"(?i)(?:bearer|basic|digest|token|api-?key|negotiate|ntlm|kerberos|aws4-hmac-sha(?:256|512)|hawk|oauth"
    r"|dpop|jwt|mac|hmac|signature|sharedkey(?:lite)?|sso-key|geniekey|splunk|bot|key|scram-sha-(?:1|256)"
    r"|vapid|hoba|mutual|private-token|gnap|pop|sas|bce-auth-v1|tc3-hmac-sha256|acs\d-[\w-]+|goog4-rsa-sha256)"
    r"[ \t:]{1,3}(?=\S)"
)
_PARAMETERS = re.compile(
    r"(?:[A-Za-z][\w-]{0,40}+=(?:\\?\"[^\"\n]{0,2048}+\"|[^\s,\"'\\]{0,2048}+)(?:[ \t]*,[ \t]*|[ \t]+(?=[A-Za-z][\w-]{0,40}=))?){1,32}"
)
_TOKEN = re.compile(r"[^\s\"'`,;<>\\]{1,8192}+")
_COOKIE = re.compile(
    r"(?P<name>[^\s=;,\"']{1,128}+)[ ]?=[ ]?(?P<value>\"[^\"\n]{0,4096}+\"|[^\s;,\"'\\]{1,4096}+)"
)
_ATTRIBUTES = frozenset(
    [
        "path",
        "domain",
        "expires",
        "max-age",
        "samesite",
        "secure",
        "httponly",
        "version",
        "priority",
    ]
)


def named_values(text: str) -> Iterator[tuple[int, int]]:
    """Where in the text such values stand, in order, none inside another."""
    done = 0
    for found in sorted((*_named(text), *_options(text), *_pairs(text), *_query(text))):
        if found[0] >= done:
            yield found
            done = found[1]


def _named(text: str) -> Iterator[tuple[int, int]]:
    lower, done = text.lower(), 0
    stems = tuple(stem for stem in _STEMS if stem in lower)
    for found in _pattern(stems).finditer(text) if stems else ():
        if found.start() < done:
            continue
        name, start = _whole_name(text, found)
        kind = kind_of(name)
        if not kind:
            continue
        sep = found["sep"]
        if not _is_tag(text, start) if sep == ">" else text[start - 1 : start] == "<":
            continue  # a comparison, or a pseudonym
        if sep in {" ", "\t"} and kind != secret_names.PASSWORD:
            continue
        for span in _values(text, found, name, start):
            yield span
            done = span[1]


@functools.lru_cache(maxsize=256)
def _pattern(stems: tuple[str, ...]) -> re.Pattern[str]:
    """Of the stems that are there: a search for all of them would take most of the time."""
    return re.compile(f"(?:{'|'.join(stems)}){_ANNOUNCED}", re.IGNORECASE)


def _is_tag(text: str, start: int) -> bool:
    """Whether the name at this place is that of an XML element that begins."""
    near = text[max(0, start - _MOST_NAME) : start]
    return near.endswith("<") or (near.endswith(":") and near[near.rfind("<") + 1 : -1].isalnum())


def _whole_name(text: str, found: re.Match[str]) -> tuple[str, int]:
    """The name that a stem stands in, and where it begins."""
    stem = found.start()
    near = text[max(0, stem - _MOST_NAME) : stem]
    start = stem - len(near) + len(near.rstrip(_NAME_CHARS))
    until = found.start("quote") if found["quote"] else found.start("sep")
    return text[start:until].rstrip(" \t]"), start


def _values(text: str, found: re.Match[str], name: str, begins: int) -> Iterator[tuple[int, int]]:
    kind, sep = kind_of(name), found["sep"]
    start, end, quoted = _extent(text, found.end(), sep, begins)
    if kind == AUTH:
        yield from _credentials(text, start, end, quoted=quoted)
    elif kind == COOKIE:
        yield from _cookies(text, start, end, quoted=quoted)
    elif end > start and text[start : start + 1] not in {"{", "["}:
        value = text[start:end]
        if kind in _NUMBERED and not quoted:
            end = start + len(value.rstrip(".)]}:"))
            longer = _LONGER[kind].match(text, start) if kind in _LONGER else None
            end = longer.end() if longer else end
            value = text[start:end]
        prose = text[end : end + 2] if not quoted and sep == ":" else ""
        if is_secret(kind, value, name=name, prose=prose):
            yield start, end


_NUMBERED = frozenset(
    {secret_names.PIN, secret_names.OTP, secret_names.CVV, secret_names.CARD, secret_names.SSN,
     secret_names.PHONE, secret_names.BIRTH}
)  # fmt: skip
_LONGER = {
    secret_names.CARD: re.compile(r"[0-9](?:[ .-]?[0-9]){11,18}+"),
    secret_names.SSN: re.compile(r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}"),
    secret_names.PHONE: re.compile(r"\+?[0-9(](?:[ ()./-]{0,2}[0-9]){6,14}+"),
}


def _extent(text: str, at: int, sep: str, start: int) -> tuple[int, int, bool]:
    """Where the value begins and ends, and whether it stands in quotes."""
    opened = _OPEN.match(text, at) or _OPEN_LIST.match(text, at)
    if opened:
        return opened.end(), _closing(text, opened), True
    if sep == ">":
        body = _XML.match(text, at)
        return at, body.end() if body else at, True
    if sep == "=" and text[start - 1 : start] == ";":  # of a connection string, to the next one
        bare = _TO_SEMICOLON.match(text, at) or _BARE.match(text, at)
    else:
        bare = _BARE.match(text, at)
    if bare is None:
        return at, at, False
    value = bare[0]
    kept = value.rstrip(":.!?") if sep == ":" else value
    for opening, closing in ("{}", "[]", "()"):
        while kept.endswith(closing) and kept.count(opening) < kept.count(closing):
            kept = kept[:-1]
    return at, at + len(kept), False


def _closing(text: str, opened: re.Match[str]) -> int:
    """The place of the quote that closes, else the end of the line: what was cut has none."""
    depth, quote, at = len(opened["slashes"]), opened["quote"], opened.end()
    line = text.find("\n", at)
    stop = line if line >= 0 else len(text)
    while (at := text.find(quote, at, stop)) >= 0:
        before = at
        while before > opened.end() and text[before - 1] == "\\" and at - before <= depth + 1:
            before -= 1
        slashes = at - before
        if slashes <= depth and (depth or not slashes):
            return before
        if not depth and slashes % 2 == 0:
            return at
        at += 1
    return stop


def _credentials(text: str, start: int, end: int, *, quoted: bool) -> Iterator[tuple[int, int]]:
    """What stands after the scheme of an Authorization header; a word about one is none."""
    line = _LINE.match(text, start)
    stop = end if quoted else (line.end() if line else end)
    scheme = _SCHEME.match(text, start, stop)
    if scheme:
        begin = scheme.end()
        found = _PARAMETERS.match(text, begin, stop) or _TOKEN.match(text, begin, stop)
        taken = found.end() if found else begin
        found_end = stop if quoted else taken
        if found_end > begin and not secret_names.is_said(text[begin:stop]):
            yield begin, found_end
        return
    words = text[start:stop].split(None, 2)
    if not words or secret_names.is_said(words[0]) or text[start : start + 1] in {"<", "{", "["}:
        return
    if quoted:
        yield start, stop
        return
    last = _TOKEN.match(text, start, stop)
    second = words[1] if len(words) > 1 else ""
    if looks_random(second.strip("\"',;")):
        begin = text.index(second, start)
        last = _TOKEN.match(text, begin, stop)
        if last:
            yield begin, last.end()
    elif last and is_secret(secret_names.TOKEN, last[0], prose=text[last.end() : last.end() + 2]):
        yield start, last.end()


def _cookies(text: str, start: int, end: int, *, quoted: bool) -> Iterator[tuple[int, int]]:
    """Each cookie's value; attributes of Set-Cookie are none."""
    line = _LINE.match(text, start)
    stop = end if quoted else (line.end() if line else end)
    at, found_one = start, False
    while cookie := _COOKIE.match(text, at, stop):
        found_one = True
        if cookie["name"].lower() not in _ATTRIBUTES:
            yield cookie.span("value")
        at = cookie.end()
        while at < stop and text[at] in "; \t":
            at += 1
        if at == cookie.end():
            break
    value = text[start:end]
    if not found_one and is_secret(
        secret_names.TOKEN, value, prose="" if quoted else text[end : end + 2]
    ):
        yield start, end


def _options(text: str) -> Iterator[tuple[int, int]]:
    """`--password hunter2` in a command line that somebody logged: what looks like a secret only."""
    for found in _OPTION.finditer(text):
        kind = kind_of(found["name"])
        value = found["value"]
        odd = any(not c.isalpha() for c in value.rstrip(".,;:!?)"))
        if kind and odd and is_secret(kind, value, name=found["name"]):
            yield found.span("value")


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """`-u bob:hunter2` in a command line whose program is not known."""
    for found in _PAIR_OPTION.finditer(text):
        start = redact_argv.pair(found["option"], found["pair"])
        is_argument = found.start() == 0  # which was judged with its program
        if start is not None and not is_argument and not _takes_group(text, found.start()):
            yield found.start("pair") + start, found.end("pair")


def _takes_group(text: str, at: int) -> bool:
    """Whether a program stands before it that takes `user:group` there."""
    return any(
        word.rpartition("/")[2] in redact_argv.USER_AND_GROUP
        for word in text[max(0, at - 64) : at].split()
    )


def _query(text: str) -> Iterator[tuple[int, int]]:
    """Parameters of a URL with names that mean something else elsewhere."""
    for found in _IN_QUERY.finditer(text):
        if looks_random(found["value"]):
            yield found.span("value")
