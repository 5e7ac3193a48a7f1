"""A network that is slow: what comes to a port is passed on, each way some time later.

Usage: relay.py ADDRESS PORT TO_PORT MILLISECONDS
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
    """Bytes in their order, each ``seconds`` after it came; what comes meanwhile does not wait for it."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            target.write(data)
            await target.drain()
        target.write_eof()

    sending = asyncio.create_task(send())
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            waiting.put_nowait((loop.time() + seconds, data))
    waiting.put_nowait((loop.time() + seconds, b""))
    with contextlib.suppress(OSError):
        await sending


async def serve(address: str, port: int, to_port: int, seconds: float) -> None:
    """Relay for ever."""

    async def one(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            server, asks = await asyncio.open_connection(address, to_port)
            await asyncio.gather(_pass_on(client, asks, seconds), _pass_on(server, answers, seconds))
            asks.close()
        answers.close()

    listening = await asyncio.start_server(one, address, port)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) / 1000))
