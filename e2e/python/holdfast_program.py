"""Runs the client of holdfast_client.py for a test: told on stdin what to do, in lines of JSON; tells what happens so.

Usage: holdfast_program.py URL CREDENTIAL…     each attempt shows the next credential, and the last remains
"""

import asyncio
import json
import sys

from holdfast_client import Client
from holdfast_sender import HoldfastError


def say(**line):
    print(json.dumps(line), flush=True)


async def report(settled, **line):
    try:
        say(**line, result=await settled)
    except HoldfastError as error:
        say(**line, failed=error.code)


def say_end(task):
    if not task.cancelled():
        say(ended=task.exception() and task.exception().code)


def half(number):
    say(halved=number)
    return number / 2


async def main(url, *credentials):
    left = list(credentials)
    client = Client(
        url,
        auth=lambda: left.pop(0) if len(left) > 1 else left[0],
        on_message=lambda event, data: say(received=data, event=event),
        on_gap=lambda lost, has_forgotten: say(gap=lost, forgotten=has_forgotten),
    )
    client.on_fact = lambda fact: say(**fact)
    client.handle("half", half)
    client.retry_s = 0.02, 0.2
    running, reports = asyncio.create_task(client.run()), []
    running.add_done_callback(say_end)

    stdin = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async for text in stdin:
        command = json.loads(text)
        for data in command.get("send", []):
            reports.append(asyncio.create_task(report(client.send("number", data), sent=data)))
        if "request" in command:
            settled = client.request(command["request"], command["data"])
            reports.append(asyncio.create_task(report(settled, asked=command["data"])))
        if "close" in command:
            await client.close()
            break


asyncio.run(main(*sys.argv[1:]))
