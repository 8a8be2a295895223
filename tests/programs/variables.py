"""A function whose variables are of every sort, some of them secret, none of which may be asked for anything.

Prints its pid; runs until its standard input is closed. Whoever runs code of `Evil` makes it print "RAN".
"""

import os
import sys


class Evil:
    __slots__ = ("x",)

    def __repr__(self):
        print("RAN", flush=True)
        return "evil"

    __str__ = __repr__
    __len__ = __hash__ = lambda self: print("RAN", flush=True) or 3

    @property
    def __class__(self):
        print("RAN", flush=True)
        return int

    def __getattribute__(self, name):
        print("RAN", flush=True)
        return object.__getattribute__(self, name)


class Text(str):
    __slots__ = ()


class Cart:
    def __init__(self):
        self.total = 3


def charge(card, password, api_token):
    number, big, ratio, flag, nothing = -7, 2**200, 2.5, True, None
    text, wide, long_text, sub = "pay", "größer €", "x" * 5000, Text("inside")
    data, items, pair, empty = b"\x00raw", [1, "two", [3, [4]]], (1,), []
    many = list(range(100))
    opts = {"retries": 3, "client_secret": "s3cr3t-in-a-dict", 5: "five", "deep": {"a": {"b": 1}}}
    evil, cart, kinds = Evil(), Cart(), {1, 2}
    shared, fake = "closed over", type("list", (), {"__slots__": ("x",)})()

    def inner():
        return shared

    sys.stdin.read()
    return (inner, number, big, ratio, flag, nothing, text, wide, long_text, sub, data, items, pair, empty, many, opts,
            evil, cart, kinds, fake, card, password, api_token)  # fmt: skip


print(os.getpid(), flush=True)
charge("4111111111111111", "hunter2-not-to-be-seen", "ghp_0123456789abcdefghijABCDEFGHIJ012345")
