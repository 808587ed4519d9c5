"""The sender's rules of `holdfast.1`, section 4 of src/protocol/PROTOCOL.md: a queue that knows no connection."""

import asyncio
import dataclasses
import json
import secrets


class HoldfastError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclasses.dataclass(eq=False)
class Message:
    writer: str
    sequence: int
    event: str
    data: object
    is_request: bool
    settled: asyncio.Future
    was_sent: bool = False
    bytes: int = 0

    @property
    def id(self):
        return self.writer, self.sequence

    def resolve(self, result=None, error=None):
        if self.settled.done():
            return
        if error is None:
            self.settled.set_result(result)
        else:
            self.settled.set_exception(error)


def bytes_of(frame):
    return len(json.dumps(frame, ensure_ascii=False).encode())


class Sender:
    def __init__(self):
        # §1: a public name, and the secret that proves that we speak for it.
        self.writer = f"{secrets.token_urlsafe(16)}~{secrets.token_urlsafe(16)}"
        self.next_sequence, self.highest_sent = 1, 0
        self.flight, self.unsent = [], []  # Together the queue, in its order; the flight is on this connection's wire.
        self.requests = {}  # Those without a reply, by id, whether acknowledged or not.
        self.acknowledged = {}  # The highest acknowledgement of each writer.
        self.expected, self.said = {}, None  # What the server expects next of each writer; the writer last named.
        self.named = set()  # The writers that any connection has named.

    def add(self, event, data, is_request):
        message = Message(self.writer, self.next_sequence, event, data, is_request, asyncio.Future())
        self.next_sequence += 1
        if is_request:
            self.requests[message.id] = message
        self.unsent.append(message)
        return message.settled

    def rewind(self):
        """Everything unacknowledged is to be sent again. Returns where each writer goes on: for hello and resume."""
        for message in self.flight:
            message.was_sent = True
        self.unsent, self.flight = self.flight + self.unsent, []
        writers = {message.writer: message.sequence for message in reversed(self.unsent)}
        if self.highest_sent > 0:
            writers.setdefault(self.writer, self.next_sequence)
        # What lies before this the server may call done with, though it never came.
        self.highest_sent = max(self.highest_sent, writers.get(self.writer, 1) - 1)
        self.expected, self.said = dict(writers), None
        self.named.update(writers)
        return writers

    def take(self, greeting):
        """Yields the frames that may go out now, in order."""
        window = greeting["window"]
        while self.unsent and len(self.flight) < window["messages"]:
            message = self.unsent[0]
            frame = self.frame_of(message)
            message.bytes = bytes_of(frame)
            # What fits now must fit again: by then the server may have handled it.
            if bytes_of(frame | {"w": message.writer, "u": 1}) > greeting["frame"]:
                self.unsent.remove(message)
                self.fail(message, "TOO_LARGE", f"longer than {greeting['frame']} bytes")
                continue
            if self.flight and sum(one.bytes for one in self.flight) + message.bytes > window["bytes"]:
                return
            if self.expected.get(message.writer) != message.sequence:
                yield {"t": "skip", "w": message.writer, "s": message.sequence}
            yield frame
            self.expected[message.writer], self.said = message.sequence + 1, message.writer
            self.named.add(message.writer)
            if message.writer == self.writer:
                self.highest_sent = max(self.highest_sent, message.sequence)
            self.flight.append(self.unsent.pop(0))

    def frame_of(self, message):
        frame = {"t": "m", "s": message.sequence, "e": message.event, "d": message.data}
        if message.writer != self.said:
            frame["w"] = message.writer
        if message.was_sent:
            frame["u"] = 1
        if message.is_request:
            frame["r"] = 1
        return frame

    def settle(self, cursors, rejected=()):
        """Takes an acknowledgement; gives False for one of something that we never sent."""
        if cursors.get(self.writer, 0) > self.highest_sent or not self.named.issuperset(cursors):
            return False
        reasons = {(writer, sequence): (code, text) for writer, sequence, code, text in rejected}
        done = [message for message in self.flight + self.unsent if message.sequence <= cursors.get(message.writer, 0)]
        self.flight = [message for message in self.flight if message not in done]
        self.unsent = [message for message in self.unsent if message not in done]
        for message in done:
            if message.id in reasons:
                self.fail(message, *reasons[message.id])
            elif not message.is_request:
                message.resolve()
        for writer, count in cursors.items():
            self.acknowledged[writer] = max(count, self.acknowledged.get(writer, 0))
        return True

    def notices_loss(self, cursors):
        """Whether the server has forgotten what it acknowledged. Says so once."""
        has_lost = any(count < self.acknowledged.get(writer, 0) for writer, count in cursors.items())
        self.acknowledged.update(cursors)
        return has_lost

    def lose_results(self):
        """The replies to what was acknowledged will not come."""
        queued = {message.id for message in self.flight + self.unsent}
        for message in [message for message in self.requests.values() if message.id not in queued]:
            self.fail(message, "RESULT_LOST", "it was handled, and its result is gone")

    def answer(self, reply):
        message = self.requests.pop((reply["w"], reply["n"]), None)
        error = reply.get("error")
        if message is not None:
            message.resolve(reply.get("d"), error and HoldfastError(error["code"], error["message"]))

    def fail(self, message, code, text):
        self.requests.pop(message.id, None)
        message.resolve(error=HoldfastError(code, text))
