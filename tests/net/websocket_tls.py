"""Talks to an echo server over TLS: websocket_tls.py URL CERTIFICATE. Prints "ok"."""
import asyncio
import ssl
import sys

import websockets


async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    async with websockets.connect(sys.argv[1], ssl=context, compression=None) as connection:
        for size in (0, 1, 1000, 100000):
            await connection.send("x" * size)
            assert await connection.recv() == "x" * size
    print("ok")


asyncio.run(main())
