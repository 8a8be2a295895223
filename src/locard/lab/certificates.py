"""A private certificate authority in a directory, for upstreams that serve TLS.

The certificates are real ones, made by the `openssl` program: what has expired has expired.
"""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from locard.lab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """
[ca]
default_ca = own
[own]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
certificate = authority.pem
private_key = authority.key
default_md = sha256
unique_subject = no
policy = policy
[policy]
commonName = supplied
"""
_AGE = timedelta(days=90)  # how long before its end a certificate begins


class Authority:
    """Issues certificates for services on this machine's loopback."""

    def __init__(self, directory: Path) -> None:
        """Make the authority's own certificate; raises LabError without the openssl program."""
        if shutil.which("openssl") is None:
            raise LabError(
                "the lab cannot make certificates",
                "the program openssl is not installed",
                "Install it: apt-get install openssl",
            )
        directory.mkdir()
        self._directory = directory
        self._issued = 0
        self.bundle = directory / "authority.pem"
        (directory / "authority.cnf").write_text(_CONFIG)
        (directory / "index.txt").touch()
        (directory / "serial").write_text("1000\n")
        self._key("authority.key")
        self._openssl(
            "req", "-x509", "-new", "-key", "authority.key", "-subj", "/CN=Internal Authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "3650",
            "-out", "authority.pem",
        )  # fmt: skip

    def issue(self, name: str, valid_s: float) -> Path:
        """A file with key and certificate that ends `valid_s` from now; it may be in the past."""
        self._issued += 1
        stem = f"{name}-{self._issued}"
        end = datetime.now(UTC) + timedelta(seconds=valid_s)
        start = min(end, datetime.now(UTC)) - _AGE
        (self._directory / f"{stem}.ext").write_text(
            f"subjectAltName = DNS:{name}, IP:127.0.0.1\n"
            "basicConstraints = CA:FALSE\nauthorityKeyIdentifier = keyid\n"
        )
        self._key(f"{stem}.key")
        self._openssl(
            "req", "-new", "-key", f"{stem}.key", "-subj", f"/CN={name}", "-out", f"{stem}.csr"
        )
        self._openssl(
            "ca", "-batch", "-notext", "-config", "authority.cnf", "-extfile", f"{stem}.ext",
            "-startdate", _asn1(start), "-enddate", _asn1(end),
            "-in", f"{stem}.csr", "-out", f"{stem}.crt",
        )  # fmt: skip
        both = self._directory / f"{stem}.pem"
        both.write_text(
            "".join((self._directory / f"{stem}.{kind}").read_text() for kind in ("key", "crt"))
        )
        return both

    def _key(self, name: str) -> None:
        self._openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", name)

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(
            ["openssl", *words],  # noqa: S607 - the one that is installed
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = " / ".join(done.stderr.strip().splitlines()[-2:])
            raise LabError(f"openssl {words[0]} failed", said, "Try `openssl version`.")


def _asn1(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%SZ")
