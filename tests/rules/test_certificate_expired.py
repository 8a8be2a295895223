"""certificate-expired: the words of many libraries; quiet where nothing grew."""

from dataclasses import replace

import pytest

from locard.model.finding import Confidence
from locard.model.log_facts import AffectedValue, BlastRadius
from locard.rules.certificate_expired import judge
from rules.builders import case, correlate, log, message

PYTHON = (
    "bank: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "certificate has expired (_ssl.c:1006)"
)


def found(text=PYTHON, *, before=0, after=30, **options):
    hit = correlate(upstream="bank")
    return list(judge(case(log(hit, messages=(message(text, before, after),), **options))))


def test_fires_and_names_the_upstream():
    (finding,) = found(changed=("errors",))
    assert finding.title == "The TLS certificate of bank has expired"
    assert finding.confidence is Confidence.MODERATE
    assert finding.values == (("upstream", "bank"),)


@pytest.mark.parametrize(
    "text",
    [
        "x509: certificate has expired or is not yet valid: current time 2026-01-02 is after 2026-01-01",
        "java.security.cert.CertificateExpiredException: NotAfter: Thu Jan 01 00:00:00 UTC 2026",
        "FetchError: request to https://bank failed, reason: certificate has expired CERT_HAS_EXPIRED",
        "curl: (60) SSL certificate problem: certificate has expired",
        "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking",
        "SSL_do_handshake() failed (SSL: error:0A000415:SSL routines::sslv3 alert certificate expired)",
        "invalid peer certificate: Expired",
        "The certificate chain uses expired certificate.",
        "The remote certificate is invalid because of errors in the certificate chain: NotTimeValid",
    ],
)
def test_fires_in_the_words_of_other_libraries(text):
    assert len(found(text)) == 1


def test_fires_with_the_far_end_in_the_command():
    command = "openssl s_client -connect pay.example.com:8443 </dev/null"
    (finding,) = found("dial pay.example.com:8443: certificate has expired")
    assert finding.next_commands == (command,)
    radius = BlastRadius(
        "peer",
        (AffectedValue("10.0.0.1:443", 0.0, 1.0, 0.9, 1.0, 30),),
        (AffectedValue("10.0.0.2:443", 0.0, 0.0, 0.0, 0.1, 90),),
        (),
    )
    summary = replace(log(messages=(message(PYTHON),)), blast_radius=(radius,))
    (finding,) = judge(case(summary))
    assert "10.0.0.1:443" in finding.next_commands[0]


def test_quiet_on_warnings_of_the_end_and_on_other_refusals():
    for text in (
        "certificate of bank expires in 5.0 h",
        "certificate verify failed: self-signed certificate",
        "certificate verify failed: Hostname mismatch",
        "session expired",
        "token has expired",
    ):
        assert not found(text)


def test_quiet_where_it_was_there_before_or_nothing_changed():
    assert not found(before=70, after=30)
    assert not found(after=3)
    assert not found(changed=())
    assert not list(judge(case()))
