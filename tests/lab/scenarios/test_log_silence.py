"""An instance serves on without a line; where hardly anyone asks, all are silent and none is blamed."""

import json

NAME = "log-silence"


def lines_of(seen, name):
    records = (json.loads(line) for line in seen.log.splitlines() if line.startswith("{"))
    return [r for r in records if r.get("instance") == name]


def test_it_goes_on_serving_without_a_line(faulty):
    seen = faulty[NAME]
    name = dict(seen.scene.truth.values)["instance"]
    late = [r for r in seen.requests if r.due > seen.onset + 1]
    answered = [r for r in late if r.status == 200]
    assert len(answered) > 0.95 * len(late)
    logged = seen.log.count('"status":')
    assert logged < 0.95 * len(seen.requests)
    assert lines_of(seen, name)


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules == [NAME]
    finding = seen.answer["findings"][0]
    silence = next(s for s in seen.answer["log_summary"]["silences"] if s["field"])
    assert [list(p) for p in seen.scene.truth.values] == finding["values"]
    assert any("it is sent them still" in s["says"] for s in finding["supports"])
    assert silence["since"]["earliest"] - 2 <= seen.onset <= silence["since"]["latest"] + 0.5
    assert silence["until"] is None


def test_the_near_miss_is_silent_for_want_of_requests(near_misses):
    seen = near_misses[NAME]
    late = [r for r in seen.requests if r.due > seen.onset + 1]
    assert len(late) < 20
    assert {f["severity"] for f in seen.answer["findings"]} <= {"info"}, (
        "fewer requests may be said"
    )


def test_nothing_is_found_where_nothing_happens(healthy):
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
