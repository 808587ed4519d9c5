"""Echoes text and binary until it gets SIGTERM, which it passes on as 1001. Prints its port, and each connection.

Usage: echo_server.py [PORT]
"""

import asyncio
import json
import logging
import signal
import sys

import websockets


async def echo(websocket):
    print(json.dumps({"connected": websocket.subprotocol}))
    async for message in websocket:
        if message == "fail":
            raise RuntimeError("told to")  # What a handler raises, websockets answers with 1011.
        await websocket.send(message)


async def main(port):
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # Else it prints what the handler raises.
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, stop.set_result, None)

    async with websockets.serve(echo, "127.0.0.1", port, subprotocols=["chat.v2", "chat.v1"]) as server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}))
        await stop


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
