"""Echoes with websockets, compression as it is by default; its first line of output is its port."""

import asyncio

import websockets


async def echo(socket, path=None):
    async for message in socket:
        await socket.send(message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
