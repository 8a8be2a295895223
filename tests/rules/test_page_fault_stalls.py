"""page-fault-stalls: fires on threads in D without a call and on many major faults; minor ones are healthy."""

from locard.rules.page_fault_stalls import judge
from rules.builders import case, row, thread_wait, trace, waits

STALLED = thread_wait(state="D", call="", doing="waits for a page (page fault)", share=0.4)


def test_fires_on_threads_that_wait_for_pages():
    (finding,) = judge(case(waits(STALLED)))
    assert "1 thread of the target was seen in page faults" in finding.detail


def test_fires_on_major_faults_and_names_the_file():
    faults = trace(
        "page-faults",
        row("/srv/model.bin", "major", 900, total_s=3.0),
        row("[heap]", "minor", 9000),
    )
    (finding,) = judge(case(faults))
    assert finding.title.endswith("most of /srv/model.bin")


def test_quiet_on_minor_faults_a_few_major_ones_and_other_states():
    assert not list(
        judge(case(trace("page-faults", row("[heap]", "minor", 90_000), row("/x", "major", 5))))
    )
    writes = thread_wait(state="D", call="pwrite64", doing="waits uninterruptibly, on", share=0.9)
    assert not list(judge(case(waits(writes))))
