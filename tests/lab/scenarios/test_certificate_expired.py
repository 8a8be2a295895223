"""The TLS library refuses a certificate that has really expired; one that ends soon only warns."""

NAME = "certificate-expired"


def test_the_library_says_so_in_its_own_words(faulty):
    seen = faulty[NAME]
    name = dict(seen.scene.truth.values)["upstream"]
    assert all(upstream.tls for upstream in seen.scene.service.upstreams)
    said = [line for line in seen.log.splitlines() if "CERTIFICATE_VERIFY_FAILED" in line]
    assert len(said) > 20
    assert all("certificate has expired" in line and name in line for line in said)
    assert seen.before().error_share < 0.03
    assert seen.after().error_share > 0.1


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules[0] == NAME
    finding = seen.answer["findings"][0]
    assert all(word in str(finding) for word in seen.scene.truth.mentions)
    assert finding["next_commands"][0].startswith("openssl s_client -connect 127.0.0.1:")


def test_the_near_miss_warns_of_the_end_and_nobody_fails(near_misses):
    seen = near_misses[NAME]
    name = dict(seen.scene.truth.values)["upstream"]
    assert f"certificate of {name} expires in" in seen.log
    assert seen.after().error_share < 0.03
    assert [f["title"] for f in seen.answer["findings"]] == []


def test_nothing_is_found_where_nothing_happens(healthy):
    assert "expires in" not in healthy[NAME].log
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
