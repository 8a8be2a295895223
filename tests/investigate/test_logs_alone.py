"""The rules over one log, without an investigation."""

from locard.investigate import logs_alone
from locard.model.evidence import Status
from locard.model.finding import Role
from rules.builders import correlate, log, message


def test_a_mechanism_comes_before_who_is_hit_and_that_before_what_names_nobody():
    expired = message("x: certificate verify failed: certificate has expired", after=40)
    found = logs_alone.conclude(log(correlate(user_segment="gold"), messages=(expired,)))
    assert [f.rule for f in found.findings] == [
        "certificate-expired",
        "one-segment-affected",
        "service-degraded",
    ]
    rules = ["certificate-expired", "one-segment-affected"]
    assert [f.rule for f in found.contributing_factors] == rules, "what names nobody is no factor"
    assert found.contributing_factors[0].finding == found.findings[0].id
    assert found.alarming
    (evidence,) = found.evidence
    assert evidence.status is Status.OK
    assert {e for f in found.findings for e in f.evidence} == {evidence.id}
    assert found.findings[1].role is Role.SCOPE


def test_a_log_without_a_change_gives_nothing():
    found = logs_alone.conclude(log(changed=()))
    assert (found.findings, found.contributing_factors, found.alarming) == ((), (), False)
