"""asyncpg: two tasks that connect have both places of the pool, three wait; a server never answers."""

import asyncio
import json
import os
import sys
import threading

import asyncpg
from kept import silent_server

SERVER, PORT = silent_server()


async def order(pool):
    async with pool.acquire(timeout=3600):
        pass


async def main():
    pool = asyncpg.create_pool(
        host="127.0.0.1",
        port=PORT,
        user="u",
        database="d",
        ssl=False,
        min_size=0,
        max_size=2,
        timeout=3600,
    )
    async with pool:
        tasks = [asyncio.create_task(order(pool), name=f"order-{k}") for k in range(5)]
        await asyncio.sleep(0.3)
        print(json.dumps({"pid": os.getpid(), "waiters": len(tasks) - 2}), flush=True)
        await asyncio.sleep(3600)


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
