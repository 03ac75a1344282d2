"""The other side of the WebSocket tests, by the `websockets` package.

serve [COMPRESSION]: an echo server that prints its port, then serves until it is killed.
check URL: talks to an echo server and prints "ok".
compressed URL: the same with compressed messages.
"""
import asyncio
import os
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


async def echo(connection):
    try:
        async for message in connection:
            await answer(connection, message)
    except websockets.ConnectionClosed:
        pass


async def answer(connection, message):
    if message == "close":
        await connection.close(4001, "as asked")
    elif message == "fragments":
        await connection.send(["frag", "men", "ts"])
    elif message == "ping":
        await (await connection.ping(b"payload"))
        await connection.send("ponged")
    else:
        await connection.send(message)


async def serve(compression=None):
    async with websockets.serve(echo, "127.0.0.1", 0, compression=compression, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def check(url):
    async with websockets.connect(url, compression=None) as connection:
        for size in (0, 1, 125, 126, 65535, 65536, 200000):
            await connection.send("x" * size)
            assert await connection.recv() == "x" * size, size
            await connection.send(b"\xff" * size)
            assert await connection.recv() == b"\xff" * size, size
        await connection.send(["in ", "three ", "frames"])
        assert await connection.recv() == "in three frames"
        await (await connection.ping(b"are you there"))
        await connection.send("close")
        try:
            await connection.recv()
            raise AssertionError("still open")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "bye"), closed
    async with websockets.connect(url, compression=None, subprotocols=["other", "chat"]) as connection:
        assert connection.subprotocol == "chat"
        await connection.close(1000, "done")
    async with websockets.connect(url, compression=None) as connection:
        try:
            await connection.send("x" * 300000)
            await connection.recv()
            raise AssertionError("a message above the limit came back")
        except websockets.ConnectionClosed:
            pass
    print("ok")


async def check_compressed(url):
    for settings in ({}, {"server_max_window_bits": 9}, {"client_max_window_bits": 9, "server_max_window_bits": 12},
                     {"server_no_context_takeover": True}, {"client_no_context_takeover": True}):
        settings = {"client_max_window_bits": True} | settings
        wanted = [ClientPerMessageDeflateFactory(**settings)]
        async with websockets.connect(url, compression=None, extensions=wanted) as connection:
            assert "permessage-deflate" in connection.response.headers["Sec-WebSocket-Extensions"], settings
            for size in (0, 1, 125, 126, 65535, 65536, 100000):
                for message in ("x" * size, os.urandom(size), f"{{{settings}}}" * (size // 1000)):
                    await connection.send(message)
                    assert await connection.recv() == message, (settings, size)
            await connection.send(["in ", "three ", "frames " * 100])
            assert await connection.recv() == "in three " + "frames " * 100
            await connection.send("close")
            try:
                await connection.recv()
                raise AssertionError("still open")
            except websockets.ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "bye"), closed
    async with websockets.connect(url, compression="deflate") as connection:
        try:
            await connection.send("x" * 300000)
            await connection.recv()
            raise AssertionError("a message above the limit came back")
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 1009, closed
    print("ok")


if sys.argv[1] == "serve":
    asyncio.run(serve(*sys.argv[2:]))
else:
    asyncio.run((check if sys.argv[1] == "check" else check_compressed)(sys.argv[2]))
