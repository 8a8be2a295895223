"""CPythons that few machines have yet, in a root folder of their own, for the tests of the marker `forky` (`make test-forky`).

LOCARD_FORKY names a folder that is a root (as debootstrap makes one) with python3.14 and python3.15 in it; the tests'
programs are copied below it and run by chroot(8), which takes root. Elsewhere these tests are skipped, and say so.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support import PROGRAMS

_NAMED = os.environ.get("LOCARD_FORKY", "")
_VERSIONS = ("3.14", "3.15")


def _why_not():
    if not _NAMED:
        return "no root with Python 3.14 and 3.15: LOCARD_FORKY names none"
    if not all((Path(_NAMED) / f"usr/bin/python{v}").exists() for v in _VERSIONS):
        return f"LOCARD_FORKY={_NAMED} has no python3.14 and python3.15 in usr/bin"
    return "chroot takes root" if os.geteuid() else ""


WHY_NOT = _why_not()
needs_forky = [pytest.mark.forky, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]


def interpreters():
    """By version: a command that runs the tests' programs there under their own path."""
    if WHY_NOT:
        return dict.fromkeys(_VERSIONS, "")
    folder = Path(tempfile.mkdtemp(prefix="locard-forky-"))
    there = Path(_NAMED + str(PROGRAMS))
    shutil.copytree(PROGRAMS, there, dirs_exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(shutil.rmtree, there, ignore_errors=True)
    found = {}
    for version in _VERSIONS:
        script = folder / f"python{version}"
        script.write_text(f'#!/bin/sh\nexec chroot "{_NAMED}" python{version} "$@"\n')
        script.chmod(0o755)
        found[version] = str(script)
    return found


def marked(versions):
    """Versions as parameters of a test, those that only such a root has with the marker."""
    return [pytest.param(v, marks=needs_forky) if v in _VERSIONS else v for v in versions]
