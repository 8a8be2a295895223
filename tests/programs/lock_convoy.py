"""Six threads that all need one lock, which is held during an exchange over a socket."""

import socket
import threading
import time

LOCK = threading.Lock()
HERE, THERE = socket.socketpair()
HOLD_S = 0.08


def answer():
    while data := THERE.recv(16):
        time.sleep(HOLD_S)
        THERE.sendall(data)


def exchange():
    HERE.sendall(b"x")
    HERE.recv(16)


def reserve():
    with LOCK:
        exchange()


def work():
    while True:
        reserve()


threading.Thread(target=answer, daemon=True).start()
for _ in range(6):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
time.sleep(60)
