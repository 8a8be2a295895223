from __future__ import annotations

import gzip
import os

import pytest

from locard.logs.input import log_source


@pytest.fixture
def read():
    """All lines of a source, and the source itself after it was closed."""

    def run(name, budget=20.0, **wants):
        source = log_source.open_source(str(name), log_source.Wants(**wants))
        try:
            data = b"".join(source.blocks(budget))
        finally:
            source.close()
        return data.decode().splitlines(), source

    return run


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a shell script first on the PATH."""

    def make(name, script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return path

    return make


def line(second, word="x"):
    hour, rest = divmod(second, 3600)
    return f'{{"time":"2025-11-22T{12 + hour:02}:{rest // 60:02}:{rest % 60:02}Z","m":"{word}"}}\n'


def packed(text):
    return gzip.compress(text.encode())
