"""A near miss of lock_convoy: threads that all wait at one line, but each for itself."""

import threading
import time


def pause():
    time.sleep(60)
    return 1


def work():
    pause()
    time.sleep(60)


for _ in range(6):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
time.sleep(60)
