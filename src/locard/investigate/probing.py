"""One probe's outputs: cleaned, with their provenance, and the Evidence that is made of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from locard.guard import sudo
from locard.ledger.store import digest_of
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import INTERRUPTED, Evidence, Output, Ran, Status
from locard.model.kernel_facts import ENDED_BY_YOU
from locard.model.place import typed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from locard.catalogue import Entry
    from locard.guard.command import Command, Written
    from locard.guard.redact import Redactor
    from locard.model.evidence import Identity, Layer, Scope
    from locard.model.facts import Fact
    from locard.model.place import Place
    from locard.model.target import Context
    from locard.probe import Probe, Step

_MOST_COMPLAINT = 300  # characters
# Cleaning and parsing an output takes about a second for each of its megabytes on a busy machine.
_BYTES_A_SECOND = 1_000_000
_SHARE, _SHARE_OF_PAGE = 0.25, 0.1  # of the time that is left, for one output
_LEAST_BYTES = 100_000.0  # which is always looked at


def load(entry: Entry) -> Probe:
    """The probe of a catalogue entry. The meta-tests check that it keeps the Protocol."""
    return cast("Probe", entry.load())


def redacted(
    output: Output, redactor: Redactor, written: Written, left_s: float = math.inf
) -> tuple[Output, int]:
    """The output as it may be kept, and how many secrets were replaced in it.

    `written` is what its template says of standard output; standard error is text. `left_s` is the
    time that the investigation has left: what takes more than its share of that is not looked at.
    """
    output = _bearable(output, written, left_s)
    stdout, count_out = redactor.treat(output.stdout, written)
    stderr, count_err = redactor.apply(output.stderr)
    clean = replace(
        output,
        stdout=stdout,
        stderr=stderr,
        argv=redactor.argv(output.argv),
        problem=redactor.text(output.problem),
    )
    return clean, count_out + count_err


def _bearable(output: Output, written: Written, left_s: float) -> Output:
    """The output without what cannot be cleaned and read in its share of the time, and says so."""
    share = _SHARE_OF_PAGE if written == "exposition" else _SHARE
    size, most = len(output.stdout), max(_LEAST_BYTES, left_s * share * _BYTES_A_SECOND)
    if written in {"json", "processes", "series"} or (
        size <= most and not (written == "exposition" and output.truncated)
    ):
        return output
    kept, why = b"", f"the page has more than {_megabytes(size)}: not read"
    if written != "exposition":
        kept = output.stdout[: int(most)]
        kept = kept[: kept.rfind(b"\n") + 1] or kept
        why = f"only {_megabytes(len(kept))} of {_megabytes(size)} were read, for want of time"
    elif not output.truncated:
        why = f"the page has {_megabytes(size)}: not read, for want of time"
    return replace(output, stdout=kept, truncated=True, problem=why)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def in_investigation(probe: Probe, entry: Entry) -> bool:
    """Whether an investigation asks it by itself: eBPF programs only where they say BY_DEFAULT."""
    return bool(getattr(probe, "BY_DEFAULT", ".programs." not in entry.module))


def params_of(probe: Probe, given: dict[str, str]) -> Any:
    """The parameters of a probe from texts; None where it has none. Raises UsageError."""
    kind = getattr(probe, "PARAMS", None)
    if kind is not None:
        asked = params.parse(kind, given)
        check = getattr(probe, "check", None)
        if check is not None:
            check(asked)
        return asked
    if given:
        raise UsageError(
            f"the probe takes no parameter {next(iter(given))!r}", "it has none", "Leave it out."
        )
    return None


def plan_of(probe: Probe, context: Context, asked: Any = None) -> Generator[Step, Output, None]:
    """The probe's plan, with parameters where some were given."""
    if asked is None:
        return probe.plan(context)
    return cast("Any", probe).plan(context, asked)  # type: ignore[no-any-return] # a probe with PARAMS


def key(entry: Entry) -> str:
    """What a probe is called in the gate and in the record: its layer and its name."""
    return f"{entry.layer}/{entry.name}"


def ran(
    command: Command,
    output: Output,
    identity: Identity,
    redactor: Redactor,
    *,
    place: Place,
    digest: str | None,
    redactions: int,
) -> Ran:
    """The provenance of one output. `output` is the redacted one, `digest` that of a reader of ours."""
    return Ran(
        argv=output.argv,
        by_hand=typed_at(sudo.by_hand(redactor.text(command.by_hand), output.argv), place),
        impact=command.impact.word,
        residue=command.residue,
        bound_s=command.bound_s,
        program_digest=digest,
        identity=identity,
        place=place.ref,
        started=output.started,
        duration_s=round(output.duration_s, 4),
        exit_code=output.exit_code,
        http_status=output.http_status,
        timed_out=output.timed_out,
        truncated=output.truncated,
        problem=output.problem,
        stdout=digest_of(output.stdout),
        stdout_bytes=len(output.stdout),
        stderr=digest_of(output.stderr),
        stderr_bytes=len(output.stderr),
        redacted=redactions,
    )


def output_of(item: Ran, content: Callable[[str], bytes | None]) -> Output:
    """The output again, from the record: what `read` gets in a replay."""
    return Output(
        argv=item.argv,
        stdout=content(item.stdout) or b"",
        stderr=content(item.stderr) or b"",
        exit_code=item.exit_code,
        http_status=item.http_status,
        timed_out=item.timed_out,
        truncated=item.truncated,
        started=item.started,
        duration_s=item.duration_s,
        problem=item.problem,
    )


def evidence(
    id_: str,
    entry: Entry,
    *,
    layer: Layer,
    scope: Scope,
    place: str,
    outputs: Sequence[Output],
    items: Sequence[Ran],
    cut: str = "",
    asked: tuple[tuple[str, str], ...] = (),
) -> Evidence:
    """Evidence from outputs: the facts that the probe reads, and how it went."""
    facts = load(entry).read(outputs)
    problems = [o.problem for o in outputs if o.problem] + [cut] * bool(cut)
    said = [getattr(f, "problem", "") for f in facts]
    if any(ENDED_BY_YOU in words for words in said):  # which tells more
        problems = [p for p in problems if p != INTERRUPTED]
    problems += said
    if not facts and not problems:
        problems = [_complaint(o) for o in outputs if o.exit_code]
    return Evidence(
        id=id_,
        probe=entry.name,
        layer=layer,
        status=_status(outputs, facts, cut=bool(cut)),
        scope=scope,
        place=place,
        params=asked,
        ran=tuple(items),
        facts=facts,
        problem="; ".join(dict.fromkeys(filter(None, problems))),
    )


def _complaint(output: Output) -> str:
    """What a command that failed said about it, on one line."""
    said = " ".join(output.stderr.decode("utf-8", "replace").split())
    # An error of locard's own names what, why and what to do next, each on a line of its own.
    ours = said.startswith("locard: ")
    said = said.removeprefix("locard: ").replace(" why: ", ": ", 1).replace(" next: ", ". ", 1)
    if ours or 0 < len(said) <= _MOST_COMPLAINT:
        return said[:_MOST_COMPLAINT]
    if said:  # the last words tell why
        return f"…{said[1 - _MOST_COMPLAINT :]}"
    return f"{output.program} ended with exit code {output.exit_code} and said nothing"


def _status(outputs: Sequence[Output], facts: tuple[Fact, ...], *, cut: bool) -> Status:
    incomplete = cut or any(o.timed_out or o.truncated or o.problem for o in outputs)
    incomplete = incomplete or any(getattr(f, "partial", False) for f in facts)
    if facts and any(getattr(f, "nothing", False) for f in facts):
        said = any(getattr(f, "problem", "") for f in facts)
        return Status.FAILED if said or incomplete else Status.NO_DATA
    if facts:
        return Status.PARTIAL if incomplete else Status.OK
    if incomplete or any(o.exit_code not in {0, None} for o in outputs):
        return Status.FAILED
    return Status.NO_DATA
