"""imitation of an MCP server for the sandbox: it listens on a port, and answers each line with a result.

Usage: mcp_server.py PORT [silent]; a silent one does not listen, as of one that has lost its port to another.
"""

import asyncio
import sys


async def answer(asked: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    """Answer whatever one client asks."""
    while await asked.readline():
        answers.write(b'{"jsonrpc":"2.0","id":1,"result":{}}\n')
        await answers.drain()
    answers.close()


async def main(port: int, *, listens: bool) -> None:
    """Serve for ever."""
    if listens:
        await asyncio.start_server(answer, "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), listens="silent" not in sys.argv[2:]))
