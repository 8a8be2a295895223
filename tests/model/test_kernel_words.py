"""Headlines of what was observed in the kernel."""

import json
from dataclasses import replace

import pytest

from locard.kernel.probes import syscalls
from locard.model import headline, kernel_words
from locard.model.evidence import Output
from locard.model.kernel_facts import Observed, SystemCalls, Trace, Waits

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
