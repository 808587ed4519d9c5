"""A client of `holdfast.1`, written from src/protocol/PROTOCOL.md alone; § names its sections.

    client = Client("ws://…", auth=lambda: "secret", on_message=print)
    running = asyncio.create_task(client.run())
    await client.send("message", {"text": "hi"})                 # resolves when the server's handler has finished
    members = await client.request("join", {"room": "a"})
    await client.close()
"""

import asyncio
import json
import random
import time

import websockets

from holdfast_frames import BadFrame, parse
from holdfast_sender import HoldfastError, Sender

CONNECT_S = 10
ACK_DELAY_S, ACK_EVERY = 0.025, 16  # §7.3
STABLE_S = 5  # §9
FINAL = {1000, 1003, 1007, 1008, 1010, 3003, 4403, 4404, 4406, 4410}
UNAUTHORIZED = {3000, 4401}


class Leave(Exception):
    """Ends this connection with a close code of ours."""


class Client:
    """`on_gap(lost, forgot)`: why messages to us may be missing, or None; whether the server forgot messages of ours."""

    def __init__(self, url, auth=lambda: None, on_message=lambda *_: None, on_gap=lambda *_: None):
        self.url, self.auth, self.on_message, self.on_gap = url, auth, on_message, on_gap
        self.on_fact = lambda fact: None  # Hears of welcomes, errors and closes: for tests and the curious.
        self.handlers, self.answers = {}, {}  # By name; by the id of the ask, until the server has them.
        self.retry_s = 0.5, 30
        self.sender = Sender()
        self.websocket, self.out, self.greeting, self.is_closed = None, None, None, False
        self.failures, self.was_refused, self.retry_after_s = 0, False, 0
        self.lose_stream()

    def send(self, event, data=None):
        return self.add(event, data, False)

    def request(self, event, data=None):
        return self.add(event, data, True)

    def add(self, event, data, is_request):
        settled = self.sender.add(event, data, is_request)
        self.flush()
        return settled

    def handle(self, name, handler):
        """Answers what the server asks by this name. §7, asks"""
        self.handlers[name] = handler

    def send_volatile(self, event, data=None):
        if self.websocket is not None and self.is_welcome:
            self.put({"t": "v", "e": event, "d": data})

    async def close(self):
        self.is_closed = True
        if self.websocket is not None and self.greeting is not None:
            self.put({"t": "bye"})
            await asyncio.wait([asyncio.ensure_future(self.out.join())], timeout=1)
            await self.websocket.close(1000)

    async def run(self):
        """Connects again and again, until closed. Raises HoldfastError when the server wants us no more."""
        while True:
            self.retry_after_s, began_at = 0, time.monotonic()
            code, reason = await self.connect()
            self.on_fact({"closed": code})
            if self.is_closed:
                return
            if self.is_welcome and time.monotonic() - began_at >= STABLE_S:
                self.failures, self.was_refused = 0, False
            if code in FINAL or code in UNAUTHORIZED and self.was_refused:
                raise HoldfastError(code, reason)
            self.was_refused = self.was_refused or code in UNAUTHORIZED
            if code == 4409:
                self.lose_stream()
                self.on_gap("superseded", False)
            self.failures += 1
            jitter_s = random.uniform(0, min(self.retry_s[1], self.retry_s[0] * 2 ** (self.failures - 1)))
            await asyncio.sleep(max(jitter_s, self.retry_after_s))

    async def connect(self):
        """One connection, from the dial to its end. Returns the close code and reason."""
        self.out, self.heard, self.greeting = asyncio.Queue(), asyncio.Event(), None
        self.is_welcome = self.is_draining = False
        self.unacknowledged, self.left, tasks = 0, None, []
        options = {"ping_interval": None, "open_timeout": CONNECT_S, "close_timeout": 1, "max_size": None}
        try:
            async with websockets.connect(self.url, subprotocols=["holdfast.1"], **options) as self.websocket:
                try:
                    self.greet(await asyncio.wait_for(self.websocket.recv(), CONNECT_S))
                    tasks = [asyncio.create_task(work(self.websocket)) for work in (self.write, self.beat)]
                    async for text in self.websocket:
                        self.receive(text)
                except Leave as leave:
                    self.left = leave.args
                    await self.websocket.close(*self.left)
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            if self.websocket is None:
                return 1006, repr(error)
        finally:
            for task in tasks:
                task.cancel()
            ended, self.websocket = self.websocket, None
        return self.left or (ended.close_code, ended.close_reason)

    async def write(self, websocket):
        while True:
            await websocket.send(await self.out.get())
            self.out.task_done()

    async def beat(self, websocket):
        """§8"""
        interval_s, timeout_s = (self.greeting["heartbeat"][name] / 1000 for name in ("interval", "timeout"))
        while True:
            await asyncio.sleep(interval_s)
            self.heard.clear()
            self.put({"t": "p"})
            try:
                await asyncio.wait_for(self.heard.wait(), timeout_s)
            except asyncio.TimeoutError:
                self.left = 4000, f"silent for {timeout_s} s after a ping"
                await websocket.close(*self.left)

    def put(self, frame):
        self.out.put_nowait(json.dumps(frame, ensure_ascii=False))

    def greet(self, text):
        """§2.3 and 2.4: hello, and the first flight right behind it."""
        try:
            greeting = parse(text, "down")
        except BadFrame as error:
            raise Leave(4406, f"no greeting of holdfast.1: {error}") from None
        if greeting["t"] != "greeting":
            raise Leave(4406, f"{greeting['t']} instead of a greeting")
        self.greeting = greeting
        hello = {"t": "hello", "writers": self.sender.rewind(), "auth": self.auth()}
        if self.session is not None:
            self.resumptions += 1
            hello["stream"] = {"id": self.session, "s": self.last, "c": self.resumptions}
            if self.last > 0:
                hello["stream"]["g"] = self.tag
        self.put(hello)
        self.flush()

    def flush(self):
        if self.websocket is None or self.greeting is None or self.is_draining:
            return
        for frame in self.sender.take(self.greeting):
            self.put(frame)

    def receive(self, text):
        self.heard.set()
        try:
            frame = parse(text, "down")
        except BadFrame as error:
            raise Leave(4400, f"BAD_FRAME: {error}") from None
        if frame["t"] == "greeting" or frame["t"] == "welcome" and self.is_welcome:
            raise Leave(4400, f"a second {frame['t']}")
        if not self.is_welcome and frame["t"] in ("a", "m", "r", "v", "reauth"):
            raise Leave(4400, f"{frame['t']} before the welcome")
        getattr(self, f"on_{frame['t']}")(frame)
        self.flush()

    def on_welcome(self, frame):
        """§6"""
        self.is_welcome = True
        self.on_fact({name: frame.get(name) for name in ("resumed", "lost", "held")})
        has_forgotten = self.sender.notices_loss(frame["cursors"])
        self.on_a({"w": frame["cursors"], "no": frame.get("no", [])})
        if has_forgotten or self.session is not None and not frame["resumed"]:
            self.on_gap(frame.get("lost"), has_forgotten)
        if not frame["resumed"]:
            self.lose_stream()
            self.sender.lose_results()
        self.session = frame["session"]
        if not frame["resumed"]:
            self.answers.clear()
        for answer in self.answers.values():
            self.put(answer)
        if "held" in frame:
            self.put({"t": "resume", "writers": self.sender.rewind()})

    def lose_stream(self):
        self.session, self.last, self.tag, self.resumptions = None, 0, None, 0

    def on_a(self, frame):
        for ask in frame.get("r", []):
            self.answers.pop(ask, None)
        if not self.sender.settle(frame.get("w"), frame.get("no", [])):
            raise Leave(4400, f"BAD_ACK: {frame['w']}, some of which was never sent")

    def on_m(self, frame):
        if self.is_new(frame):
            if "r" in frame:
                self.answer(frame)
            else:
                self.on_message(frame["e"], frame.get("d"))

    def answer(self, ask):
        """§7.6 to 7.8"""
        answer, handler = {"t": "r", "id": ask["r"]}, self.handlers.get(ask["e"])
        if handler is None:
            answer["error"] = {"code": "NO_HANDLER", "message": ask["e"]}
        else:
            try:
                answer["d"] = handler(ask.get("d"))
            except Exception as error:
                answer["error"] = {"code": "REJECTED", "message": str(error)}
        self.answers[ask["r"]] = answer
        self.put(answer)

    def on_r(self, frame):
        if self.is_new(frame):
            self.sender.answer(frame)

    def is_new(self, frame):
        """§7.2. What is new is handled by the end of this turn; only then can its acknowledgement leave."""
        if frame["s"] > self.last + 1:
            raise Leave(4400, f"SEQUENCE_GAP: {frame['s']} after {self.last}")
        if frame["s"] <= self.last:
            return False
        self.last, self.tag = frame["s"], frame["g"]
        self.unacknowledged += 1
        loop = asyncio.get_running_loop()
        if self.unacknowledged == 1:
            loop.call_later(ACK_DELAY_S, self.acknowledge, self.out)
        if self.unacknowledged == ACK_EVERY:
            loop.call_soon(self.acknowledge, self.out)
        return True

    def acknowledge(self, out):
        if out is self.out and self.unacknowledged > 0:
            self.unacknowledged = 0
            self.put({"t": "a", "s": self.last})

    def on_v(self, frame):
        self.on_message(frame["e"], frame.get("d"))

    def on_p(self, _):
        self.put({"t": "o"})

    def on_o(self, _):
        pass

    def on_reauth(self, _):
        self.put({"t": "auth", "auth": self.auth()})

    def on_drain(self, frame):
        self.is_draining, self.retry_after_s = True, frame["after"] / 1000
        self.on_fact({"drain": frame["after"]})

    def on_error(self, frame):
        self.on_fact({"error": frame["code"]})
        if "after" in frame:
            self.retry_after_s = frame["after"] / 1000
