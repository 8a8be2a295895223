"""one-instance-affected: fires on an instance, and on nothing that only stands beside one."""

from dataclasses import replace

from locard.model.finding import Confidence, Role
from locard.model.log_facts import AffectedValue, BlastRadius, FieldRole
from locard.rules.one_instance_affected import judge
from rules.builders import case, correlate, log

SPARED = BlastRadius(
    "pod",
    affected=(AffectedValue("pay-2", 0.0, 0.4, 0.3, 0.5, 90),),
    unaffected=(AffectedValue("pay-1", 0.0, 0.0, 0.0, 0.03, 130),),
    unknown=(),
)


def found(summary, *radii, role="instance"):
    roles = (*summary.roles, FieldRole(role, "pod", "its name"))
    return list(judge(case(replace(summary, roles=roles, blast_radius=radii))))


def test_fires_on_one_instance_with_the_others_spared():
    (finding,) = found(log(correlate(pod="pay-2")), SPARED)
    assert finding.title == "Only pod=pay-2 is affected"
    assert finding.role is Role.SCOPE
    assert finding.confidence is Confidence.MODERATE
    assert "pod=pay-1 (130 requests)" in finding.detail


def test_fires_by_the_usual_names_of_the_field():
    for name in ("instance", "k8s.pod.name", "host", "worker_id"):
        (finding,) = judge(case(log(correlate(**{name: "a"}))))
        assert "no other value" in finding.against[0].says


def test_quiet_on_other_fields_and_without_a_change():
    assert not found(log(correlate(pod="pay-2")), role="segment")
    for name in ("upstream", "host_header_size", "user_segment", "server_address", "ghost"):
        assert not list(judge(case(log(correlate(**{name: "a"})))))
    assert not found(log(correlate(pod="pay-2"), changed=()))
    assert not found(log(correlate(share=0.1, pod="pay-2")))
