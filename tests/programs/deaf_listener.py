"""Listens and never accepts: connections wait in its queue. Prints the port."""

import socket
import time

LISTENER = socket.create_server(("127.0.0.1", 0), backlog=16)
WAITING = [socket.create_connection(LISTENER.getsockname()) for _ in range(5)]
print(LISTENER.getsockname()[1], flush=True)
time.sleep(60)
