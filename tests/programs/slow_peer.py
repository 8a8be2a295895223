"""Four threads in HTTP calls to a peer that does not answer, in recv or (argument `poll`) in poll.

Prints the peer's port.
"""

import http.client
import socket
import sys
import threading
import time

TIMEOUT_S = 50 if sys.argv[1:] == ["poll"] else None
PEER = socket.create_server(("127.0.0.1", 0))


def charge():
    connection = http.client.HTTPConnection("127.0.0.1", PEER.getsockname()[1], timeout=TIMEOUT_S)
    connection.request("POST", "/charge", b"{}")
    connection.getresponse()


def handle():
    charge()


for _ in range(4):
    threading.Thread(target=handle, daemon=True).start()
KEPT = [PEER.accept() for _ in range(4)]
for peer, _ in KEPT:
    while b"{}" not in peer.recv(4096):
        pass
print(PEER.getsockname()[1], flush=True)
time.sleep(60)
