"""Open-loop traffic: every request starts when it is due, whatever became of those before it.

The first line of standard input is the plan (JSON), each later line replaces parts of it; the end
of standard input ends the arrivals, and the process once every request has its answer.
A request that fails is sent again as often as the plan says, under the same trace id.
One JSON line per request goes to the records file: when it was due, started and done (Unix time,
seconds), how often it was sent, its last status (0: no answer) and what it was.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from http import HTTPStatus
from itertools import accumulate
from pathlib import Path
from typing import IO, Any


class _Mix:
    """Values drawn with their shares."""

    def __init__(self, shares: dict[str, float]) -> None:
        self._names = list(shares)
        self._upto = list(accumulate(shares.values()))

    def draw(self, draws: random.Random) -> str:
        return draws.choices(self._names, cum_weights=self._upto)[0]


class Traffic:
    """Poisson arrivals at the plan's rate."""

    def __init__(self, plan: dict[str, Any], records: IO[str]) -> None:
        """The plan's seed decides every draw."""
        self._plan = plan
        self._records = records
        self._draws = random.Random(plan["seed"])  # noqa: S311 - a repeatable plan is the point
        self._routes = _Mix(plan["routes"])
        self._mixes = {name: _Mix(shares) for name, shares in plan["headers"].items()}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Start requests until standard input ends, then wait for those that are under way."""
        arrivals = asyncio.create_task(self._arrive())
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, arrivals), daemon=True).start()
        await asyncio.wait([arrivals])
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self, loop: asyncio.AbstractEventLoop, arrivals: asyncio.Task[None]) -> None:
        for line in sys.stdin:
            self._plan.update(json.loads(line))
        loop.call_soon_threadsafe(arrivals.cancel)

    async def _arrive(self) -> None:
        due = time.time()
        while True:
            due += self._draws.expovariate(self._plan["rate_per_s"])
            await asyncio.sleep(max(0.0, due - time.time()))
            task = asyncio.create_task(self._request(due, *self._drawn()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _drawn(self) -> tuple[str, str, dict[str, str]]:
        method, template = self._routes.draw(self._draws).split(" ", 1)
        number = self._draws.randrange(1000, 90000)
        path = template.replace("{id}", str(number)).replace("{pair}", f"EUR-{number % 7}")
        headers = {name: mix.draw(self._draws) for name, mix in self._mixes.items()}
        return method, path, headers

    async def _request(self, due: float, method: str, path: str, headers: dict[str, str]) -> None:
        started = time.time()
        trace, attempts = os.urandom(16).hex(), 1
        status, via = await self._attempt(method, path, headers, trace)
        while _failed(status) and attempts <= self._plan["retries"]:
            await asyncio.sleep(self._plan["retry_ms"] / 1000 * random.uniform(0.5, 1.5))  # noqa: S311
            status, via = await self._attempt(method, path, headers, trace)
            attempts += 1
        record = {
            "due": round(due, 4),
            "started": round(started, 4),
            "done": round(time.time(), 4),
            "attempts": attempts,
            "status": status,
            "method": method,
            "path": path,
            "via": via,
            **headers,
        }
        self._records.write(json.dumps(record) + "\n")

    async def _attempt(
        self, method: str, path: str, headers: dict[str, str], trace: str
    ) -> tuple[int, str]:
        try:
            async with asyncio.timeout(self._plan["patience_s"]):
                return await self._exchange(method, path, headers, trace)
        except (OSError, TimeoutError, ValueError, IndexError):
            return 0, ""

    async def _exchange(
        self, method: str, path: str, headers: dict[str, str], trace: str
    ) -> tuple[int, str]:
        host, port = random.choice(self._plan["addresses"])  # noqa: S311 - a balancer
        reader, writer = await asyncio.open_connection(host, port)
        try:
            lines = [
                f"{method} {path} HTTP/1.1",
                f"host: {host}",
                f"traceparent: 00-{trace}-{os.urandom(8).hex()}-01",
                "connection: close",
                "content-length: 0",
                *(f"{name}: {value}" for name, value in headers.items()),
            ]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
            raw = (await reader.read()).decode("latin-1")
        finally:
            writer.close()
        head = raw.split("\r\n\r\n", 1)[0].split("\r\n")
        via = next((h[5:].split()[-1] for h in head if h.lower().startswith("via: ")), "")
        return int(head[0].split()[1]), via


def _failed(status: int) -> bool:
    return status == 0 or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def main() -> None:
    """Read the plan and go."""
    plan = json.loads(sys.stdin.readline())
    with Path(plan["records"]).open("a", encoding="utf-8", buffering=1) as records:
        print("ready", flush=True)
        asyncio.run(Traffic(plan, records).run())


if __name__ == "__main__":
    main()
