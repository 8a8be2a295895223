"""TLS as it was asked for: authorities, a certificate of ours, or no check; standard library only, Python 3.6.

TLS is set before this source: `ca`, `cert` and `key` as PEM texts, `skip` for no check at all.
"""

import os
import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def no_password() -> bytes:
    """A key that is encrypted is refused: nobody is there to be asked."""
    return b""


def tls_context() -> "ssl.SSLContext":
    """TLS as it was asked for: authorities, a certificate of ours, or no check at all; raises ValueError."""
    asked = globals().get("TLS") or {}  # type: dict[str, Any]
    try:
        context = ssl.create_default_context(cadata=asked.get("ca") or None)
    except (OSError, ValueError):
        raise ValueError("--tls-ca has no certificate in it that can be read") from None
    if asked.get("skip"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if asked.get("cert"):
        # It takes files. Pipes are none that anyone else can read, and a child of ours may write no file.
        ends = [pipe_of(asked["cert"]), pipe_of(asked.get("key") or asked["cert"])]
        try:
            chain, key = ("/proc/self/fd/%d" % fd for fd in ends)
            context.load_cert_chain(chain, key, no_password)
        except (OSError, ValueError):
            words = "--tls-cert and --tls-key are no certificate with its key, unencrypted, as PEM"
            raise ValueError(words) from None
        finally:
            for fd in ends:
                os.close(fd)
    return context


def pipe_of(text: str) -> int:
    """A descriptor that a text is read from."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    try:
        os.write(into, text.encode())
    finally:
        os.close(into)
    return out
