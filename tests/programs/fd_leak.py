"""Opens files and sockets until 97 % of a limit of 200 descriptors are used."""

import os
import resource
import socket
import time

LIMIT = 200
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
SOCKETS = [socket.socket() for _ in range(150)]
while os.open("/dev/null", os.O_RDONLY) < LIMIT * 0.97 - 1:
    pass
print("ready", flush=True)
time.sleep(60)
