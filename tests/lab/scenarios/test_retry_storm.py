"""Clients repeat what fails and multiply the load; retries that were always there are no storm."""

NAME = "retry-storm"


def attempts(seen, since, until):
    sent = [r.attempts for r in seen.requests if since <= r.due < until]
    return sum(sent) / len(sent)


def test_every_request_comes_several_times(faulty):
    seen = faulty[NAME]
    assert attempts(seen, seen.began, seen.onset) < 1.05
    assert attempts(seen, seen.onset + 2, seen.ended) > 1.3
    assert seen.log.count('"status":') > len(seen.requests) * 1.2, "the service takes them all"


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules[0] == NAME
    assert any("the traffic rose" in s["says"] for s in seen.answer["findings"][0]["supports"])


def test_the_near_miss_retries_all_along(near_misses):
    seen = near_misses[NAME]
    before = attempts(seen, seen.began, seen.onset)
    assert before > 1.02
    rate = len([r for r in seen.requests if r.due >= seen.onset]) / (seen.ended - seen.onset)
    assert rate > 1.15 * seen.scene.load.rate_per_s
    assert seen.rules == []


def test_nothing_is_found_where_nothing_happens(healthy):
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
