"""Asks an echo server for its echo, and prints what came of it as one line of JSON.

Usage: echo_client.py URL
"""

import asyncio
import json
import sys

import websockets

BYTES = bytes(range(256)) * 4


async def main(url):
    async with websockets.connect(url) as websocket:
        await websocket.send("grüße 🌊")
        text = await websocket.recv()

        await websocket.send(BYTES)
        echoed = await websocket.recv()

        await websocket.send("x" * 300_000)
        long = await websocket.recv()

        pong = await websocket.ping()
        await asyncio.wait_for(pong, timeout=5)

        await websocket.close(code=4001, reason="that will do")

    report = {
        "text": text,
        "bytesAreSame": echoed == BYTES,
        "longLength": len(long),
        "extensions": [extension.name for extension in websocket.extensions],
        "ponged": pong.done(),
        "closeCode": websocket.close_code,
        "closeReason": websocket.close_reason,
    }
    print(json.dumps(report))


asyncio.run(main(sys.argv[1]))
