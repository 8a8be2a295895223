"""Asks the kernel for the accept queues of this network namespace; standard library only.

It opens one netlink socket (sock_diag, as `ss -ltn` does) and prints one JSON object per listening
TCP socket: {"inode", "port", "queue", "backlog"}. /proc/net/tcp has the queue, but not its limit.
"""

import json
import socket
import struct
import sys

_SOCK_DIAG_BY_FAMILY = 20
_DUMP_REQUEST = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_DONE, _ERROR = 3, 2
_LISTEN = 1 << 10
_HEADER = struct.Struct("=IHHII")
# inet_diag_msg: family, state, timer, retrans; ports; addresses; interface, cookie; the rest
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")


def sockets(family: int) -> "list[dict[str, int]]":
    """The listening TCP sockets of an address family."""
    ask = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 0, 0, _LISTEN)
    header = _HEADER.pack(_HEADER.size + len(ask), _SOCK_DIAG_BY_FAMILY, _DUMP_REQUEST, 1, 0)
    found: list[dict[str, int]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as kernel:  # 4: NETLINK_SOCK_DIAG
        kernel.settimeout(2)
        kernel.send(header + ask)
        while True:
            data = kernel.recv(1 << 18)
            while len(data) >= _HEADER.size:
                size, kind = _HEADER.unpack_from(data)[:2]
                if kind in (_DONE, _ERROR) or size < _HEADER.size:
                    return found
                if size >= _HEADER.size + _ANSWER.size:
                    part = _ANSWER.unpack_from(data, _HEADER.size)
                    port = int.from_bytes(part[4], "big")
                    found.append(
                        {"inode": part[14], "port": port, "queue": part[11], "backlog": part[12]}
                    )
                data = data[(size + 3) & ~3 :]


def main() -> int:
    """Print them all; nothing where the kernel does not answer."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            for one in sockets(family):
                sys.stdout.write(json.dumps(one) + "\n")
        except OSError:
            continue
    return 0


if __name__ == "__main__":
    sys.exit(main())
