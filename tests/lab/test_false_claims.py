"""False claims: what the truth contradicts is counted, what it does not speak of is not."""

import pytest

from locard.lab.false_claims import Known, false_claims


def said(kind, subject="x", slot="changed", **figures):
    values = [
        {
            "name": n,
            "value": None if isinstance(v, str) else v,
            "text": v if isinstance(v, str) else "",
        }
        for n, v in figures.items()
    ]
    claim = {"slot": slot, "kind": kind, "subject": subject, "figures": values}
    return {"claims": [{"claim": claim, "says": f"it says {kind}"}]}


BROKEN = Known(
    broken=True, busy=True, everyone=False, hit=(("region", "east"),), onset=100.0,
    factors=frozenset({"upstream-slow"}),
)  # fmt: skip
FINE = Known(broken=False)


@pytest.mark.parametrize(
    ("document", "known"),
    [
        (said("nothing_found"), BROKEN),
        (said("log_steady"), BROKEN),
        (said("every_thread_idle"), BROKEN),
        (said("every_value_hit"), BROKEN),
        (said("onset_known", earliest=200.0, latest=210.0), BROKEN),
        (said("values_spared", "region", value="east"), BROKEN),
        (said("factor", "oom-kill", slot="verdict"), BROKEN),
        (said("factor", "upstream-slow", slot="verdict"), FINE),
        (said("log_going_on"), FINE),
    ],
)
def test_what_the_truth_contradicts(document, known):
    (claim,) = false_claims(document, known)
    assert claim.startswith(document["claims"][0]["claim"]["kind"])


@pytest.mark.parametrize(
    ("document", "known"),
    [
        (said("nothing_found"), FINE),
        (said("nothing_found"), Known(broken=None)),
        (said("log_going_on"), Known(broken=None)),
        (said("log_steady"), Known(broken=True, in_log=False)),
        (said("every_thread_idle"), Known(broken=True)),
        (said("every_value_hit"), Known(broken=True)),
        (said("onset_known", earliest=99.0, latest=101.0), BROKEN),
        (said("values_spared", "region", value="west"), BROKEN),
        (said("factor", "upstream-slow", slot="verdict"), BROKEN),
        (said("factor", "oom-kill", slot="also_seen"), BROKEN),
        (said("cannot_tell"), BROKEN),
    ],
)
def test_what_it_does_not(document, known):
    assert false_claims(document, known) == ()
