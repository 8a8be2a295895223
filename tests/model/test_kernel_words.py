"""Headlines of what was observed in the kernel."""

import json
from dataclasses import replace

import pytest

from locard.kernel.probes import syscalls
from locard.model import headline, kernel_words
from locard.model.evidence import Output
from locard.model.kernel_facts import Observed, SystemCalls, Trace, Waits
from rules.builders import row, system_calls

said = headline._words
CUT = Observed(seconds=0.0, engine="eBPF", lost=("interrupted",))
WHOLE = replace(CUT, seconds=5.0, lost=())


@pytest.mark.parametrize(
    ("fact", "whole"),
    [
        (SystemCalls(CUT, (), (), (), (), (), (), (), ()), "no system call ended in 5.0 s"),
        (Waits(CUT, 0, 20.0, (), ()), "no thread was seen"),
        (Trace("off-cpu", "no thread left its CPU in 5.0 s", CUT), "no thread left its CPU in 5.0 s"),
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_was_cut_off_before_it_told(fact, whole):
    assert said(fact) == kernel_words.UNTOLD
    assert said(replace(fact, observed=WHOLE)) == whole
    assert "0.0 s" not in kernel_words.how(CUT)


def test_every_thread_that_is_in_a_call_is_counted():
    row = {"iterator": "blocked", "number": 34, "tgid": 7, "began": 0, "first": 0}
    lines = [{"began": 1, "machine": "x86_64"}, *({**row, "tid": n} for n in range(5000))]
    lines.append({"end": 10**9, "took": 1.0, "losses": {}})
    output = Output(argv=("python3",), stdout="\n".join(map(json.dumps, lines)).encode())
    (fact,) = syscalls.read((output,))
    assert "5000 in pause" in said(fact)


def test_that_no_call_was_slow_is_said_with_how_many_were_looked_at():
    calls = system_calls(row("read", count=3000), row("write", count=1))
    asked = (("slow", "0.001"),)
    says = kernel_words.none_slow(calls, asked)
    assert says == "no call took 1.00 ms or longer, of 3,001 calls that ended"
    assert kernel_words.none_slow(calls, ()) == ""
    assert kernel_words.none_slow(replace(calls, slow=(row("read"),)), asked) == ""
    inside = replace(calls, blocked=(row("futex", total_s=2.0), row("poll", total_s=1e-6)))
    assert "1 call that has not ended lasts longer" in kernel_words.none_slow(inside, asked)
    lossy = replace(calls, observed=replace(calls.observed, lost=("9 events were lost",)))
    assert "there may have been one" in kernel_words.none_slow(lossy, asked)
