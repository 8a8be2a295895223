"""A near miss of lock_convoy: a pool of eight threads with nothing to do, and a background loop."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

GATE = threading.Barrier(9)
STOPPED = threading.Event()


def refresh():
    while not STOPPED.wait(30):
        pass


threading.Thread(target=refresh, daemon=True).start()
with ThreadPoolExecutor(8) as pool:
    for _ in range(8):
        pool.submit(GATE.wait)
    GATE.wait()
    pool.submit(int).result()
    print("ready", flush=True)
    time.sleep(60)
