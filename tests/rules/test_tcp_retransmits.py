"""tcp-retransmits: fires on lost segments by peer; loss probes and clean peers are healthy."""

from locard.rules.tcp_retransmits import judge
from rules.builders import case, row, trace

LOSSY = row("[fd00::2]:443", "sent again", 77, detail="77 of 1,250 segments (6.2 %), 5 by timeout")
CLEAN = row("127.0.0.3:80", "none sent again", 0, detail="0 of 2,000 segments")


def test_fires_and_names_the_peers_that_lose_and_those_that_do_not():
    other = row("127.0.0.2:80", "sent again", 91, detail="91 of 1,300 segments (7.0 %)")
    (finding,) = judge(case(trace("tcp-retransmits", LOSSY, other, CLEAN)))
    assert finding.title == (
        "Segments are sent again to 127.0.0.2:80 and [fd00::2]:443 (up to 7.0 % to 127.0.0.2:80)"
    )
    assert "none to 127.0.0.3:80" in finding.detail


def test_quiet_on_loss_probes_a_few_and_a_small_share():
    for quiet in (
        row("a:1", "sent again", 6, detail="6 of 100 segments (6 %), 4 as loss probe"),
        row("a:1", "sent again", 3, detail="3 of 100 segments (3 %)"),
        row("a:1", "sent again", 20, detail="20 of 90,000 segments (0.02 %)"),
        CLEAN,
    ):
        assert not list(judge(case(trace("tcp-retransmits", quiet))))
