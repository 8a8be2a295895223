"""What values of Python's own modules look like in a watch, and how conditions compare them; names that are short."""

from __future__ import annotations

import sys

import pytest

from runtime.python.test_watch_harm import ask, started, watched
from watch_here import EVERY, VERSIONS, counts, run

VALUES = """
import collections, datetime, decimal, enum, pathlib, sys, uuid
class Color(enum.Enum): RED = "r"
class State(str, enum.Enum): PAID = "paid"
class Level(enum.IntEnum): LOW = 1
class Zone(datetime.tzinfo):
    def utcoffset(self, when): raise SystemExit("asked")
Point = collections.namedtuple("Point", "x y")
class Column:
    "As Django has them: before what the instance holds, but setting nothing."
    def __get__(self, one, kind=None): raise SystemExit("asked")
class Order:
    amount = Column()
    def __init__(self):
        self.__dict__["amount"] = decimal.Decimal("120.50")
        self.at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        self.local = datetime.datetime(2026, 1, 2, tzinfo=Zone())
        self.day, self.took = datetime.date(2026, 1, 2), datetime.timedelta(minutes=90)
        self.total, self.color, self.state, self.level = decimal.Decimal("-1E+3"), Color.RED, State.PAID, Level.LOW
        self.id, self.point, self.last = uuid.UUID(int=7), Point(3, 4), collections.deque([1, 2])
        self.span, self.wave = range(5), 1 + 2j
        self.__dict__["lazy"] = 1
def pay(order): pass
order = Order()
print("ready", flush=True)
for line in sys.stdin:
    pay(order)
    print("paid", flush=True)
"""
SHOWN = {
    "amount": "Decimal('120.50')", "at": "2026-01-02T03:04:05+00:00", "local": "2026-01-02T00:00:00 [Zone]",
    "day": "2026-01-02", "took": "timedelta(1:30:00)", "total": "Decimal('-1E+3')", "color": "<Color.RED: 'r'>",
    "state": "<State> paid", "level": "<Level.LOW 1>", "id": "00000000-0000-0000-0000-000000000007",
    "point": {"@": "Point", "x": 3, "y": 4}, "span": "range(0, 5, 1)", "wave": "(1+2j)",
}  # fmt: skip
HOLD = (
    "order.amount > 120", "order.amount == 120.5", "order.total < order.amount", "order.total == -1000",
    "order.color.name == 'RED'", "order.color.value == 'r'", "order.state == 'paid'", "order.level == 1",
    "order.point.y == 4", "order.lazy == 1",
)  # fmt: skip


@pytest.mark.parametrize("version", EVERY)
def test_values_are_shown_as_people_write_them_and_nothing_is_asked(version):
    with started(VALUES, python=VERSIONS[version]) as process:
        with watched(process, "__main__:pay", stats=False, depth=3) as rows:
            assert ask(process, "go") == "paid"
        (call,) = [r for r in rows if r.get("ev") == "call"]
        found = call["params"]["order"]
        assert {name: found[name] for name in SHOWN} == SHOWN
        assert found["last"]["items"] == [1, 2]
        assert found["last"]["@"].endswith("deque")


@pytest.mark.parametrize("version", EVERY)
def test_conditions_compare_decimals_members_and_fields(version):
    with started(VALUES, python=VERSIONS[version]) as process:
        for where in (*HOLD, "order.amount > 121", "order.took == 1"):
            with watched(process, "__main__:pay", stats=False, where=where, most=9) as rows:
                assert ask(process, "go") == "paid"
            tested = [sum(r["tested"][k] for r in rows if r.get("ev") == "stats") for k in range(3)]
            expected = {"order.amount > 121": [1, 0, 0], "order.took == 1": [0, 0, 1]}
            assert tested == expected.get(where, [0, 1, 0]), where


DEEP = """
import sys
def fact(n): return 1 if n <= 1 else n * fact(n - 1)
def whole(n): return fact(n)
print("ready", flush=True)
for line in sys.stdin: print(whole(int(line)), flush=True)
"""


@pytest.mark.parametrize("version", EVERY)
def test_a_tree_has_neither_our_own_functions_nor_our_own_time(version):
    with started(DEEP, python=VERSIONS[version]) as process:
        with watched(
            process, "__main__:whole", "__main__:fact", stats=False, tree=True, most=99
        ) as rows:
            assert ask(process, 20) == "2432902008176640000"
        calls = [r for r in rows if r.get("ev") == "call"]
        assert len(calls) == 21
        assert "locard" not in str([c.get("tree") for c in calls])
        (outer,) = [c for c in calls if len(c["params"]) and c["w"] == 0]
        names = [line[1].partition(" ")[0] for line in outer["tree"]]
        assert names[:2] == ["by", "fact"]
        below = sum(line[3] for line in outer["tree"] if line[0] == 0)
        assert below <= 1.01 * outer["cost_us"]
        # It took 20 calls to be told in between, which is no time of its own.
        assert outer["cost_us"] < 1e6 * (outer["at"] - calls[0]["at"])


PACKED = """
import sys, types
shop = types.ModuleType("pkg.shop")
exec("def pay(): pass\\nclass Order:\\n    def send(self): pass\\n", shop.__dict__)
sys.modules["pkg.shop"] = shop
print("ready", flush=True)
for line in sys.stdin: pass
"""


@pytest.mark.parametrize(
    "spec", ["shop:pay", "pay", "Order.send", "pkg.shop.Order.send", "pkg.shop:pay"]
)
def test_a_name_without_its_whole_module_is_found_where_there_is_one(spec):
    with started(PACKED) as process:
        rows = run(process.pid, spec, seconds=0.2, stats=True)
        assert list(counts(rows)) == [spec.rpartition(":")[2].removeprefix("pkg.shop.")]


WRAPPED = """
import sys, wrapt
@wrapt.decorator
def traced(wrapped, instance, args, kwargs): return wrapped(*args, **kwargs)
@traced
def charge(amount): return amount
class Service:
    @traced
    def send(self): pass
print("ready", flush=True)
for line in sys.stdin:
    charge(int(line)); Service().send()
    print("done", flush=True)
"""


def test_the_body_behind_a_proxy_written_in_c_is_watched():
    with started(WRAPPED, python=sys.executable) as process:
        with watched(process, "__main__:charge", "__main__:Service.send") as rows:
            for number in range(3):
                ask(process, number)
        assert counts(rows) == {"charge": {"returned": 3}, "Service.send": {"returned": 3}}
