"""One of several instances fails; one that was always slower is no news."""

import json

NAME = "one-instance-affected"


def logged(seen, since, until):
    """Status and duration (ms) of the requests in the log: of the drawn instance, of the others."""
    name = dict(seen.scene.truth.values)["instance"]
    mine, others = [], []
    for line in seen.log.splitlines():
        record = json.loads(line) if line.startswith("{") else {}
        if "status" in record:
            (mine if record["instance"] == name else others).append(
                (record["status"], record["duration_ms"])
            )
    return mine, others


def test_all_instances_serve_and_one_fails(faulty):
    seen = faulty[NAME]
    mine, others = logged(seen, seen.onset, seen.ended)
    assert len(mine) > 50
    assert len(others) > 100
    assert sum(s >= 500 for s, _ in mine) > 0.05 * len(mine)
    assert sum(s >= 500 for s, _ in others) < 0.03 * len(others)


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules[0] == NAME
    assert [list(p) for p in seen.scene.truth.values] == seen.answer["findings"][0]["values"]


def test_the_near_miss_has_always_been_slower(near_misses):
    seen = near_misses[NAME]
    mine, others = (sorted(d for _, d in side) for side in logged(seen, 0, 0))
    assert mine[len(mine) // 2] > 1.5 * others[len(others) // 2]
    assert [f["title"] for f in seen.answer["findings"]] == []


def test_nothing_is_found_where_nothing_happens(healthy):
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
