"""The frames of `holdfast.1`, as the table in section 3 of src/protocol/PROTOCOL.md has them."""

import json
import re

WHOLE_MAX = 2**53 - 1


class BadFrame(Exception):
    """Not a frame; `field` is the one to blame, or None."""

    def __init__(self, message, field=None):
        super().__init__(message)
        self.field = field


def parse(text, way):
    """The frame that a WebSocket message holds. `way` is "up" or "down". Unknown fields are left as they are."""
    if not isinstance(text, str):
        raise BadFrame("a binary message")
    try:
        frame = json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"not JSON: {error}") from None
    if not isinstance(frame, dict):
        raise BadFrame("not an object")
    fields = FRAMES[way].get(frame.get("t")) if isinstance(frame.get("t"), str) else None
    if fields is None:
        raise BadFrame(f"unknown type {frame.get('t')!r}")
    for field, fits in fields.items():
        name = field.rstrip("?")
        if name in frame and not fits(frame[name]) or name not in frame and not field.endswith("?"):
            raise BadFrame(f"{frame['t']} without a right {name}", name)
    return frame


def no_constant(name):
    raise ValueError(f"{name} is Python's, not JSON's")


def anything(_):
    return True


def text(value):
    return isinstance(value, str)


def count(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= WHOLE_MAX and value == int(value)


def seq(value):
    return count(value) and value >= 1


def identifier(value):
    return text(value) and re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", value) is not None


def name(value):
    return text(value) and 1 <= len(value.encode("utf-16-le", "surrogatepass")) // 2 <= 256


def exactly(wanted):
    return lambda value: type(value) is type(wanted) and value == wanted


def by_writer(fits, most=None):
    return lambda value: (
        isinstance(value, dict)
        and (most is None or len(value) <= most)
        and all(identifier(writer) and fits(number) for writer, number in value.items())
    )


def record(**fields):
    return lambda value: isinstance(value, dict) and all(
        fits(value[key]) if key in value else key in OPTIONAL for key, fits in fields.items()
    )


def rejections(value):
    fits = (identifier, seq, text, text)
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 4 and all(fit(part) for fit, part in zip(fits, one)) for one in value
    )


def identifiers(value):
    return isinstance(value, list) and all(identifier(one) for one in value)


OPTIONAL = {"g", "c"}  # Of hello.stream; no other record has fields that may be absent.

FRAMES = {
    "up": {
        "hello": {
            "writers": by_writer(seq, most=64),
            "auth?": anything,
            "stream?": record(id=identifier, s=count, g=identifier, c=count),
        },
        "resume": {"writers": by_writer(seq, most=64)},
        "m": {
            "w?": identifier,
            "s": seq,
            "e": name,
            "d?": anything,
            "u?": exactly(1),
            "r?": exactly(1),
            "age?": count,
        },
        "skip": {"w": identifier, "s": seq},
        "cancel": {"w": identifier, "s": seq},
        "a": {"s": seq},
        "r": {"id": identifier, "d?": anything, "error?": record(code=text, message=text)},
        "v": {"e": name, "d?": anything},
        "p": {},
        "o": {},
        "auth": {"auth": anything},
        "bye": {},
    },
    "down": {
        "greeting": {
            "v": exactly(1),
            "frame": seq,
            "window": record(messages=seq, bytes=seq),
            "heartbeat": record(interval=seq, timeout=seq),
        },
        "welcome": {
            "session": identifier,
            "resumed": lambda value: isinstance(value, bool),
            "lost?": text,
            "cursors": by_writer(count),
            "no?": rejections,
            "held?": exactly(True),
            "spread?": count,
        },
        "a": {"w": by_writer(count), "no?": rejections, "r?": identifiers},
        "m": {"s": seq, "g": identifier, "e": name, "d?": anything, "r?": identifier},
        "r": {
            "s": seq,
            "g": identifier,
            "w": identifier,
            "n": seq,
            "d?": anything,
            "error?": record(code=text, message=text),
        },
        "v": {"e": name, "d?": anything},
        "p": {"spread?": count},
        "o": {"next?": seq},
        "reauth": {"within": count},
        "drain": {"after": count},
        "error": {"code": text, "message": text, "after?": count},
    },
}
