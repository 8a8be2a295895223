import pytest

from locard.guard.budget import Budget, parse_duration
from locard.model.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("250ms", 0.25), ("2d", 172800)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3s", "3 weeks", "1e9", "nan"])
def test_no_durations(text):
    with pytest.raises(UsageError):
        parse_duration(text)


def test_a_command_gets_no_more_than_is_left():
    now = [0.0]
    budget = Budget(10.0, clock=lambda: now[0])
    assert budget.bound(3.0) == 3.0
    now[0] = 8.0
    assert budget.bound(3.0) == 2.0
    now[0] = 20.0
    assert budget.left_s == 0.0
    assert budget.bound(3.0) == 0.0
