"""SQLAlchemy's asyncio engine: two tasks hold all of the pool's connections, three wait in greenlets."""

import asyncio
import json
import os
import sys
import tempfile
import threading

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool


async def hold(engine):
    async with engine.connect() as connection:
        await connection.execute(text("select 1"))
        await asyncio.sleep(3600)


async def order(engine):
    async with engine.connect():
        pass


async def main(folder):
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{folder}/x.db", poolclass=AsyncAdaptedQueuePool,
        pool_size=1, max_overflow=1, pool_timeout=3600,
    )  # fmt: skip
    tasks = [asyncio.create_task(hold(engine), name=f"hold-{k}") for k in range(2)]
    await asyncio.sleep(0.5)
    tasks += [asyncio.create_task(order(engine), name=f"order-{k}") for k in range(3)]
    await asyncio.sleep(0.2)
    print(json.dumps({"pid": os.getpid(), "waiters": len(tasks) - 2}), flush=True)
    await asyncio.sleep(3600)


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
with tempfile.TemporaryDirectory() as made:
    asyncio.run(main(made))
