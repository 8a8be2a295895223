"""One segment's calls fail and nobody else's; where everyone's fail, no segment is blamed."""

NAME = "one-segment-affected"


def victims(seen):
    segment = dict(seen.scene.truth.values)["user_segment"]
    return lambda request: request.headers["x-user-segment"] == segment


def test_only_that_segment_fails(faulty):
    seen = faulty[NAME]
    hit = victims(seen)
    assert seen.before(hit).error_share < 0.1
    assert seen.after(hit).error_share > 0.15
    assert seen.after(lambda r: not hit(r)).error_share < 0.03


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules[0] == NAME
    pairs = seen.answer["findings"][0]["values"]
    assert [list(pair) for pair in seen.scene.truth.values] == pairs


def test_the_near_miss_is_everyone(near_misses):
    seen = near_misses[NAME]
    hit = victims(seen)
    assert seen.after(lambda r: not hit(r)).error_share > 0.15
    assert seen.answer["log_summary"]["changed"] == ["errors"]
    assert seen.rules == []


def test_nothing_is_found_where_nothing_happens(healthy):
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
