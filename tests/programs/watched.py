"""Functions of every kind, called at a known pace; says its own truth for each line on standard input, and at its end.

Runs until its standard input is closed. `hot`: one thread calls `add` without a pause; `fork`: a line "fork" makes it
fork a child that calls `pay` and says whether its code is the original. Nothing of what it counts in TOUCHED may
ever run because somebody looks.
"""

import asyncio
import contextlib
import functools
import json
import os
import sys
import threading
import time
import types
from collections import Counter
from pathlib import Path

CALLS, TOUCHED, ERRORS = Counter(), Counter(), Counter()
HOT = "hot" in sys.argv[1:]


def wrapped(function):
    @functools.wraps(function)
    def around(*args, **options):
        return function(*args, **options)

    return around


def hidden(function):
    def inner(*args, **options):
        return function(*args, **options)

    return inner


class Retry:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args):
        CALLS["Retry"] += 1
        try:
            return self.function(*args)
        except ConnectionError:
            return self.function(*args)


@wrapped
def pay(order, amount=5, *rest, currency="EUR", **more):
    CALLS["pay"] += 1
    return {"order": order, "amount": amount}


@hidden
def refund(order):
    CALLS["refund"] += 1
    return -order


@Retry
def send(order):
    CALLS["send"] += 1
    if CALLS["send"] % 2:
        password = "hunter2-of-mine"  # noqa: F841 - it is for the locals of the error
        raise ConnectionError("peer closed")
    return order


@functools.lru_cache(maxsize=4)
def rate(currency):
    return len(currency)


@functools.singledispatch
def encode(value):
    return "?"


@encode.register(int)
def _(value):
    return str(value)


class Order:
    __slots__ = ("currency", "empty")

    def __init__(self, currency):
        CALLS["Order"] += 1
        self.currency = currency

    @property
    def total(self):
        CALLS["total"] += 1
        return 7

    @staticmethod
    def check(number):
        CALLS["check"] += 1
        return number

    @classmethod
    def make(cls, currency):
        CALLS["make"] += 1
        return cls(currency)

    def scaled(self, factor):
        CALLS["scaled"] += 1
        return factor

    double = functools.partialmethod(scaled, 2)


pay_in_dollars = functools.partial(pay, currency="USD")
stat = os.stat


def adder(step):
    def add_step(number):
        CALLS["add_step"] += 1
        return number + step

    return add_step


add_three = adder(3)


def add(number):
    return number + 1


def deep(left):
    return 1 + deep(left - 1) if left else 0


class Spy:
    """Whatever is asked of it is counted."""

    @property
    def currency(self):
        TOUCHED["property"] += 1
        return "EUR"

    def __getattr__(self, name):
        TOUCHED["getattr " + name] += 1
        return "EUR"

    def __repr__(self):
        TOUCHED["repr"] += 1
        return "spy"

    def __eq__(self, other):
        TOUCHED["eq"] += 1
        return True

    __hash__ = None


class Liar:
    @property
    def __dict__(self):
        TOUCHED["dict"] += 1
        return {"currency": "EUR"}

    @property
    def __class__(self):
        TOUCHED["class"] += 1
        return str


class Loud(str):  # noqa: SLOT000 - as applications have it
    def __str__(self):
        TOUCHED["str"] += 1
        return "loud"

    def __len__(self):
        TOUCHED["len"] += 1
        return 0

    def __eq__(self, other):
        TOUCHED["str eq"] += 1
        return True

    __hash__ = str.__hash__


class Meta(type):
    """A metaclass that wants to be asked whether classes are one."""

    def __eq__(cls, other):
        TOUCHED["meta eq"] += 1
        return True

    def __hash__(cls):
        TOUCHED["meta hash"] += 1
        return hash(str)


class OfMeta(metaclass=Meta):
    def __init__(self):
        self.pin = 7


def looks_up(number):
    return sys._getframe(1).f_code.co_name


MAKERS = (lambda: Order("EUR"), lambda: Order("USD"), Spy, Liar)
BIG = {
    "text": "x" * 5_000_000,
    "number": 10**5000,
    "loud": Loud("EUR"),
    "bytes": bytes(1_000_000),
    "meta": OfMeta(),
}
BIG["itself"] = BIG


def handle(order, payload):
    CALLS["handle"] += 1
    CALLS["handle EUR"] += type(order) is Order and order.currency == "EUR"


def pages(limit):
    CALLS["pages"] += 1
    try:
        for number in range(limit):
            got = yield number
            CALLS["sent"] += got == "more"
    finally:
        CALLS["pages cleaned"] += 1
    return limit


async def rows(limit):
    CALLS["rows"] += 1
    try:
        for number in range(limit):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)
        CALLS["rows cleaned"] += 1


@contextlib.asynccontextmanager
async def session():
    CALLS["session"] += 1
    try:
        yield "open"
    except ValueError:
        CALLS["session saw ValueError"] += 1
    finally:
        CALLS["session cleaned"] += 1


async def fetch(seconds):
    CALLS["fetch"] += 1
    await asyncio.sleep(seconds)
    return seconds


@types.coroutine
def switch():
    CALLS["switch"] += 1
    yield
    return "switched"


async def alive():
    """What it does to generators and coroutines in one round."""
    consumer = pages(10)
    next(consumer), consumer.send("more")
    await asyncio.sleep(0.03)
    consumer.close()
    assert list(pages(3)) == [0, 1, 2]
    source = rows(5)
    async for number in source:
        if number == 1:
            break
    await source.aclose()
    async with session() as what:
        assert what == "open"
        raise ValueError
    assert await switch() == "switched"
    assert await fetch(0.001) == 0.001
    slow = asyncio.ensure_future(fetch(60))
    await asyncio.sleep(0.01)
    slow.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await slow


def plain(number):
    """What it does to everything else in one round."""
    rate.cache_info(), encode.registry, pay_in_dollars.func, send.function
    assert pay(number, amount=number)["amount"] == number
    pay_in_dollars(number, 4, 5, why="test")
    refund(number), send(number), rate("EUR"), encode(number), encode("x")
    order = Order.make("EUR")
    assert (order.total, order.double(), Order.check(number)) == (7, 2, number)
    add_three(number), stat("/")
    assert deep(400) == 400
    handle(MAKERS[number % len(MAKERS)](), BIG)
    thrown = None
    try:
        pay()
    except TypeError as error:
        thrown = str(error)
    assert "pay() missing 1 required positional argument: 'order'" in str(thrown), thrown


def work():
    number = 0
    while True:
        try:
            plain(number)
        except Exception as error:  # noqa: BLE001 - whatever a watch might break
            ERRORS[repr(error)] += 1
        number += 1
        CALLS["rounds"] += 1
        time.sleep(0.02)


async def live():
    while True:
        try:
            await alive()
        except Exception as error:  # noqa: BLE001 - whatever a watch might break
            ERRORS[repr(error)] += 1
        CALLS["lives"] += 1


def spin():
    while True:
        add(1)


WATCHED = {
    "pay": pay.__wrapped__, "refund": refund.__closure__[0].cell_contents, "send": send.function, "rate": rate.__wrapped__,
    "total": Order.__dict__["total"].fget, "check": Order.check, "make": Order.__dict__["make"].__func__,
    "scaled": Order.scaled, "init": Order.__init__, "handle": handle, "pages": pages, "rows": rows,
    "session": session.__wrapped__, "fetch": fetch, "add": add, "deep": deep, "switch": switch, "add_three": add_three,
}  # fmt: skip
CODES = {name: function.__code__ for name, function in WATCHED.items()}


def count_of(folder):
    return sum(1 for _ in Path(folder).iterdir())


def truth():
    return {
        "calls": dict(CALLS), "touched": dict(TOUCHED), "errors": dict(ERRORS),
        "changed": [name for name, function in WATCHED.items() if function.__code__ is not CODES[name]],
        "threads": count_of("/proc/self/task"), "fds": count_of("/proc/self/fd"),
        "at": time.monotonic(),
    }  # fmt: skip


def fork():
    pid = os.fork()
    if not pid:
        try:
            pay(1)
            print(
                json.dumps(
                    {
                        "child": WATCHED["pay"].__code__ is CODES["pay"],
                        "threads": count_of("/proc/self/task"),
                    }
                ),
                flush=True,
            )
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def main():
    threading.Thread(target=work, name="work", daemon=True).start()
    threading.Thread(target=lambda: asyncio.run(live()), name="live", daemon=True).start()
    if HOT:
        threading.Thread(target=spin, name="spin", daemon=True).start()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        if line.strip() == "fork":
            fork()
        elif line.strip() == "replace":
            globals()["handle"] = lambda order, payload: CALLS.update(["replaced"])
            print("{}", flush=True)
        else:
            print(json.dumps(truth()), flush=True)
    print(json.dumps(truth()), flush=True)


if __name__ == "__main__":
    main()
