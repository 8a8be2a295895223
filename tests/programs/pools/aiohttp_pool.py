"""aiohttp: two requests without an answer have both connections of the connector, three wait."""

import asyncio
import json
import os
import sys
import threading

import aiohttp
from kept import silent_server

SERVER, PORT = silent_server()


async def order(session):
    async with session.get(f"http://127.0.0.1:{PORT}/"):
        pass


async def main():
    connector = aiohttp.TCPConnector(limit=2)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks = [asyncio.create_task(order(session), name=f"order-{k}") for k in range(5)]
        await asyncio.sleep(0.3)
        print(json.dumps({"pid": os.getpid(), "waiters": len(tasks) - 2}), flush=True)
        await asyncio.sleep(3600)


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
