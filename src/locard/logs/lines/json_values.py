"""Files that are JSON values and no lines: an array of records, `{"Records": [...]}`, pretty-printed objects.

Each record becomes a line, its text unchanged but for the line ends between tokens. An object is taken
for an envelope where the records are in an array in it and nothing beside the array tells of an event.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_SPACE = re.compile(r"[\s,\x1e]*")
_TOKEN = re.compile(r"\s*")
_AFTER_OPEN = re.compile(rb"\[\s*(?:[{\"]|\Z)")
_INSIDE = re.compile(rb"\{\s*\n\s*(?:\"|\Z)|\{[^\n]*[,{\[]\s*\n\s+[\"{\[\d]")
_NEXT = re.compile(r"\}\s*,?\s*\{")
_OF_EVENT = re.compile(
    r"(?i)@?(?:timestamp|time|ts|date|datetime|when|level|severity|lvl|msg|message|log|body)"
)
_DEEPEST = 4  # objects around an array of records
_MOST_CHARS = 64 << 20  # of a record
_LINE_BYTES = 1 << 20  # that are handed out together
_KNOWN_CHARS = 1 << 20  # an object as long as that is no record
_DECODER = json.JSONDecoder()


def is_json_values(head: bytes) -> bool:
    """Whether a log that begins so is JSON values over several lines, or all on one."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n\x1e")
    first, end, rest = text.partition(b"\n")
    rest = rest.lstrip()
    if text.startswith(b"["):
        # An array on each line is a line.
        return bool(_AFTER_OPEN.match(text)) and not (
            rest.startswith(b"[") and _is_value(first.rstrip(b", \r"))
        )
    if not text.startswith(b"{"):
        return False
    if _INSIDE.match(text):
        return not _is_value(first)
    if rest.startswith(b"{") and b"}{" not in first:
        return False
    # All records on one line, or one record.
    return not end or not rest or (b"}{" in first and not _is_value(first))


def lines_of(chunks: Iterator[bytes], expanded: tuple[str, ...] = ()) -> Iterator[bytes]:
    """Blocks of lines, one for each record; what is no JSON is one line as it is.

    An object in which one of the words `expanded` stands is one line: what reads lines opens it.
    """
    held: list[str] = []
    size = 0
    for record in _records(_Text(chunks), expanded):
        held.append(record)
        size += len(record)
        if size >= _LINE_BYTES:
            yield _block(held)
            held, size = [], 0
    if held:
        yield _block(held)


def _block(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _is_value(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


class _BrokenError(Exception):
    """What stands here is no JSON."""


class _Text:
    """The text of the chunks from `at` on; more is read where a value needs it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.text = ""
        self.at = 0
        self.ended = False

    def fill(self, size: int = 1) -> bool:
        """Read at least so many more characters; False at the end."""
        parts: list[str] = []
        while size > 0 and not self.ended:
            chunk = next(self.chunks, b"")
            self.ended = not chunk
            part = self.decoder.decode(chunk, final=self.ended)
            parts.append(part)
            size -= len(part)
        more = "".join(parts)
        self.text += more
        return bool(more)

    def forget(self) -> None:
        """Drop what was read before `at`."""
        if self.at > _LINE_BYTES:
            self.text = self.text[self.at :]
            self.at = 0

    def next(self, skipped: re.Pattern[str] = _TOKEN) -> str:
        """The next character that is not skipped, which stays; empty at the end."""
        while True:
            match = skipped.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or not self.fill():
                return self.text[self.at : self.at + 1]

    def value(self, most: int = _MOST_CHARS) -> tuple[Any, str]:
        """The value that begins here, of about `most` characters, and its text; raises _BrokenError."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self.text) - 16
                if not cut or len(self.text) - self.at > most:
                    raise _BrokenError from error
                if not self.fill(max(1, len(self.text) - self.at)):
                    raise _BrokenError from error
                continue
            except RecursionError as error:
                raise _BrokenError from error
            if end < len(self.text) or not self.fill():  # a number may go on
                text = self.text[self.at : end]
                self.at = end
                return value, text

    def broken(self) -> str:
        """What is no JSON, up to where the next object begins."""
        while True:
            found = _NEXT.search(self.text, self.at + 1)
            if found or len(self.text) - self.at > _MOST_CHARS or not self.fill():
                break
        end = found.end() - 1 if found else len(self.text)
        text = self.text[self.at : end]
        self.at = end
        return text


def _records(text: _Text, expanded: tuple[str, ...]) -> Iterator[str]:
    """The text of each record, without line ends."""
    if text.next(re.compile(r"[\s\ufeff\x1e]*")) == "[":
        text.at += 1
    while text.next(_SPACE):
        if text.text[text.at] == "]":
            text.at += 1
            continue
        yield from _of_value(text, expanded)
        text.forget()


def _of_value(text: _Text, expanded: tuple[str, ...]) -> Iterator[str]:
    begin = text.at
    try:
        is_envelope = text.text[begin] == "{" and _is_envelope(text, begin, expanded)
        text.at = begin
        if is_envelope and (yield from _of_envelope(text, _DEEPEST)):
            return
        text.at = begin
        yield _one_line(*text.value())
    except _BrokenError:
        rest = text.broken().rstrip(" \r\n\t,")
        if rest.strip("]} \r\n\t,"):
            yield " ".join(rest.split("\n"))


def _is_envelope(text: _Text, begin: int, expanded: tuple[str, ...]) -> bool:
    """Whether the object that begins here may hold records, and is none."""
    try:
        value, written = text.value(_KNOWN_CHARS)
    except _BrokenError:
        written = text.text[begin : begin + _KNOWN_CHARS]
        # Longer than any record.
        return len(written) == _KNOWN_CHARS and not any(word in written for word in expanded)
    if any(word in written for word in expanded):
        return False
    return not any(_OF_EVENT.fullmatch(key) for key in value) and _has_records(value, _DEEPEST)


def _has_records(value: Any, deepest: int) -> bool:
    if not isinstance(value, dict) or not deepest:
        return False
    members = value.values()
    return any(
        isinstance(m, list) and m and all(isinstance(x, dict) for x in m) for m in members
    ) or any(_has_records(m, deepest - 1) for m in members)


def _of_envelope(text: _Text, deepest: int) -> Generator[str, None, bool]:
    """The records of the first array of objects in the object here; returns whether there was one.

    The texts beside the array, and before it, are fields of each record.
    """
    beside: dict[str, str] = {}
    text.at += 1
    found = False
    while text.next(_SPACE) not in {"}", ""}:
        _, key_text = text.value()
        if text.next() != ":":
            raise _BrokenError
        text.at += 1
        begins = text.next()
        if begins == "[" and not found and _next_is_object(text):
            yield from _of_array(text, beside)
            found = True
        elif begins == "{" and not found and deepest:
            begin = text.at
            found = yield from _of_envelope(text, deepest - 1)
            if not found:
                text.at = begin
                text.value()
        else:
            value, value_text = text.value()
            if isinstance(value, str) and not found:
                beside[key_text] = value_text
    text.at += 1
    return found


def _next_is_object(text: _Text) -> bool:
    begin = text.at
    text.at += 1
    is_object = text.next() == "{"
    text.at = begin
    return is_object


def _of_array(text: _Text, beside: dict[str, str]) -> Iterator[str]:
    text.at += 1
    while text.next(_SPACE) not in {"]", ""}:
        begin = text.at
        try:
            value, record = text.value()
        except _BrokenError:
            text.at = begin
            yield " ".join(text.broken().rstrip(" \r\n\t,").split("\n"))
            continue
        if isinstance(value, dict):
            more = [f"{k}:{v}" for k, v in beside.items() if json.loads(k) not in value]
            if more:
                rest = record[1:].lstrip()
                record = "{" + ",".join(more) + ("" if rest == "}" else ",") + rest
        yield _one_line(value, record)
        text.forget()
    text.at += 1


def _one_line(value: Any, text: str) -> str:
    """A text is the line that it says; what is no object has no fields but its value."""
    if isinstance(value, str):
        return value.rstrip("\n")
    if not isinstance(value, dict):
        text = f'{{"value": {text}}}'
    return text.replace("\r", " ").replace("\n", " ")
