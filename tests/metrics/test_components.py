"""Which of several components a change may come from, by calls where the series tell them."""

from __future__ import annotations

import numpy as np

from locard.metrics.components import calls_of, component_of
from metric_series import LENGTH, ON, counter, grid, told

XS = np.arange(LENGTH)


def slow(job, factor, at=ON, seed=1):
    """A service whose mean doubles and whose share of slow requests rises."""
    rnd = np.random.default_rng(seed)
    n = np.full(LENGTH, 200.0)
    late = rnd.binomial(200, np.where(at > XS, 0.004, 0.3 if factor > 1 else 0.004)).astype(float)
    name, about = "http_server_request_duration_seconds", {"job": job, "instance": f"{job}:1"}
    return [counter(f"{name}_bucket", n - late, le="0.5", **about), counter(f"{name}_bucket", n, le="+Inf", **about),
            counter(f"{name}_count", n, **about), counter(f"{name}_sum", (n - late) * 0.05 + late * 0.8, **about)]  # fmt: skip


def calls(job, far):
    return counter(
        "http_client_requests_total",
        np.full(LENGTH, 50),
        job=job,
        instance=f"{job}:1",
        server_address=far,
        code="200",
    )


def test_the_callee_that_is_slow_itself_is_named_first():
    found = told(
        *slow("cart", 2, seed=1),
        *slow("checkout", 2, seed=2),
        *slow("search", 1, seed=3),
        calls("cart", "checkout"),
    )
    assert found.components[0].name == "checkout"
    assert found.components[0].because
    assert "search" not in [c.name for c in found.components]


def test_one_component_is_no_choice():
    assert told(*slow("cart", 2)).components == ()


def test_calls_from_clients_meshes_and_service_graphs():
    every = grid(
        calls("cart", "checkout:8080"),
        counter("istio_requests_total", np.ones(LENGTH), source_workload="web", destination_workload="cart", response_code="200"),
        counter("traces_service_graph_request_total", np.ones(LENGTH), client="cart", server="store"),
    )  # fmt: skip
    named = {"cart", "checkout", "web", "store"}
    assert calls_of(every, named) == {("cart", "checkout"), ("web", "cart"), ("cart", "store")}
    assert component_of((("container", "c"), ("job", "cadvisor"))) == "c"
