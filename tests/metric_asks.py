"""A Prometheus source that is asked in this process: its fact and its screen."""

from __future__ import annotations

from locard.metrics.sources import prometheus
from locard.model.target import Context, Target
from locard.report import metrics_screen
from support import run_probe

END = 1_795_000_000
FEW = [
    ({"__name__": "jobs_done_total", "job": "shop", "n": str(n)}, [(END - 15 * k, 600 - k) for k in range(600, -1, -1)])
    for n in range(4)
]  # fmt: skip


def ask(url, budget_s=180.0, **params):
    """The fact of one reading, and its screen."""
    context = Context(
        Target("host/local", "host", "local", "here"), metrics_urls=(url,), budget_s=budget_s
    )
    outputs, facts = run_probe(prometheus, context, params=prometheus.Params(**params))
    assert not any(o.stderr for o in outputs), outputs[0].stderr.decode()
    (fact,) = facts
    return fact, "\n".join(metrics_screen.lines(fact, None))


def only(kind, answer):
    """A change of one kind of answer."""
    return lambda asked, _query: answer if asked == kind else None
