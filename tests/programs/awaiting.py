"""Tasks of asyncio: three wait for a lock whose keeper awaits a gather of a task that waits in an async generator.

Prints "ready" and runs until its standard input is closed.
"""

import asyncio
import sys
import threading


async def pages(event):
    yield 1
    await event.wait()
    yield 2


async def fetch(event):
    async for _ in pages(event):
        pass


async def done():
    return 1


async def keep(lock, event):
    async with lock:
        await asyncio.gather(asyncio.ensure_future(named(fetch(event), "fetches")), done())


async def pay(lock):
    async with lock:
        pass


async def named(coroutine, name):
    """A task under a name, on every version."""
    asyncio.current_task().set_name(name)
    return await coroutine


async def main():
    lock, event, closed = asyncio.Lock(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    keeper = asyncio.ensure_future(named(keep(lock, event), "keeper"))
    await asyncio.sleep(0.05)
    waiting = [asyncio.ensure_future(named(pay(lock), f"pay-{n}")) for n in range(3)]
    await asyncio.sleep(0.05)
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(closed.set))
    ).start()
    print("ready", flush=True)
    await closed.wait()
    event.set()
    await asyncio.gather(keeper, *waiting)


asyncio.run(main())
