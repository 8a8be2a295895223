"""Drives the handshake of `transport/bootstrap.py` against a real process, as a session does."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from dataclasses import dataclass

from locard.transport import bootstrap

NONCE = "0123456789abcdef0123456789abcdef"
PROGRAM = b"import os\nos.write(1, ('hello ' + __name__ + ' ' + NONCE).encode())\n"
HELLO = f"hello locard_far {NONCE}".encode()


@dataclass
class Shaken:
    handshake: bootstrap.Handshake
    out: bytes  # behind the last mark
    err: bytes
    code: int | None  # None where it was still waited for
    waited_s: float

    @property
    def state(self):
        return self.handshake.state

    @property
    def failed(self):
        """The arguments of `explain`, but for the place."""
        shake = self.handshake
        return self.code, self.err, shake.noise, self.waited_s


def shake(argv, program=PROGRAM, handshake=None, bound_s=20, then=b"", **options):
    """Open, then write `then` and read to the end."""
    shaken = handshake or bootstrap.Handshake(NONCE, program)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    argv = [str(word) for word in argv]
    began = time.monotonic()
    with subprocess.Popen(argv, start_new_session=True, **pipes, **options) as child:
        err = _open(child, shaken, began + bound_s)
        waited = time.monotonic() - began
        late = shaken.state == "waiting" or shaken.problem == "flood"
        if late:
            child.kill()
        with contextlib.suppress(BrokenPipeError):
            out, rest = child.communicate(then if not late else b"", timeout=30)
    shaken.feed_errors(rest)
    if shaken.state == "waiting":
        shaken.closed()
    return Shaken(shaken, shaken.rest + out, err + rest, None if late else child.returncode, waited)


def _open(child, shaken, until):
    """The bytes of standard error until the handshake has its end."""
    err = b""
    _send(child, shaken.first_bytes())
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, "stdout")
        selector.register(child.stderr, selectors.EVENT_READ, "stderr")
        while shaken.state == "waiting" and time.monotonic() < until:
            for key, _ in selector.select(0.2):
                data = os.read(key.fd, 1 << 16)
                if key.data == "stderr":
                    err += data
                    shaken.feed_errors(data)
                elif data:
                    _send(child, shaken.feed(data))
                else:
                    shaken.closed()
                if not data:
                    selector.unregister(key.fileobj)
    return err


def _send(child, data):
    with contextlib.suppress(BrokenPipeError):  # it may have ended
        child.stdin.write(data)
        child.stdin.flush()
