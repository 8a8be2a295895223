"""Greenlets of gevent: five wait for a semaphore that one has, which sleeps; says "ready", runs until its input ends."""

import sys

import gevent
from gevent.lock import Semaphore
from gevent.threadpool import ThreadPool


def wait(permit):
    with permit:
        pass


def keep(permit):
    with permit:
        slow()


def slow():
    gevent.sleep(600)


PERMIT = Semaphore(1)
KEEPER = gevent.spawn(keep, PERMIT)
gevent.sleep(0.05)
WAITING = [gevent.spawn(wait, PERMIT) for _ in range(5)]
gevent.sleep(0.05)
print("ready", flush=True)
ThreadPool(1).apply(sys.stdin.read)
