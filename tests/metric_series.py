"""Series for the tests of the metrics wing: by hand, or a whole history of the lab."""

from __future__ import annotations

import numpy as np

from locard.investigate.conclude import judge
from locard.metrics import analysis
from locard.metrics.grid import lay_out
from locard.metrics.history import History, Series
from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.finding import Case

END, STEP, LENGTH = 1_800_000_000, 15, 601
ON = 520  # the slot in which things change by hand


def series(name, values, start=END - (LENGTH - 1) * STEP, step=STEP, **labels):
    """One series; None leaves a sample out."""
    times = [start + i * step for i, v in enumerate(values) if v is not None]
    known = [v for v in values if v is not None]
    return Series(
        name, tuple(sorted(labels.items())), np.array(times, float), np.array(known, float)
    )


def counter(name, growth, start=0.0, **labels):
    """A counter by its growth at each sample."""
    return series(name, list(np.cumsum(growth) + start), **labels)


def level(before, after=None, noise=0.0, at=ON, seed=1):
    """A level that steps at a slot."""
    rnd = np.random.default_rng(seed)
    values = np.where(np.arange(LENGTH) < at, before, before if after is None else after)
    return values + rnd.normal(0, noise, LENGTH) if noise else values.astype(float)


def traffic(mean, seed=1):
    """Counts of requests in each slot."""
    return np.random.default_rng(seed).poisson(mean, LENGTH)


def history(*every, window=1800.0, **fields):
    """A reading of these series."""
    found = History(
        source={"kind": "Prometheus", "version": "3.5.0", "skew": 0.0},
        asked={"window": window}, window=(END - (LENGTH - 1) * STEP, END), interval=STEP, **fields,
    )  # fmt: skip
    found.series = list(every)
    return found


def grid(*every, **fields):
    return lay_out(history(*every, **fields))


def told(*every, url="http://127.0.0.1:9090", **fields):
    """What the wing says of these series."""
    return analysis.analyse(history(*every, **fields), url)


def of_book(book, window=1800.0):
    """What the wing says of a history of the lab."""
    every = [series(n, v, start=book.time(0), **labels) for n, _, labels, v in book.rows]
    found = History(
        source={"kind": "Prometheus", "version": "3.5.0"}, asked={"window": window},
        window=(book.time(0), book.end), interval=STEP,
    )  # fmt: skip
    found.series = [s for s in every if s.times.size]
    return analysis.analyse(found, "http://127.0.0.1:9090")


def case_of(*facts):
    """A case of these facts alone."""
    return Case("host/local", END, tuple(
        Evidence(f"e{n}", "prometheus", Layer.METRICS, Status.OK, Scope(), (), (f,)) for n, f in enumerate(facts, 1)
    ))  # fmt: skip


def findings(*facts):
    """What all rules find in them, by rule."""
    return {f.rule: f for f in judge(case_of(*facts))}
