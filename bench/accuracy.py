"""Accuracy on public data with known truth; `make bench-accuracy` puts the section into RESULTS.md."""

from __future__ import annotations

import accuracy_localise
import accuracy_onset
import accuracy_planted
import accuracy_shape

SECTIONS = (
    accuracy_shape.section,
    accuracy_onset.section,
    accuracy_localise.section,
    accuracy_planted.section,
)

if __name__ == "__main__":
    print(f"## Accuracy\n\n`bench/accuracy.py`: {__doc__.split(';')[0]}.\n")
    print("\n\n".join(section() for section in SECTIONS))
