"""Runs test/vectors/frames.json against holdfast_frames.py, and prints how many vectors passed."""

import json
import pathlib

import holdfast_frames

VECTORS = pathlib.Path(__file__).parent / "../../test/vectors/frames.json"


def fault_of(vector):
    """What is wrong with our reading of this vector, or None."""
    try:
        frame = holdfast_frames.parse(vector["wire"], vector["way"])
    except holdfast_frames.BadFrame as error:
        if vector.get("error") != "BAD_FRAME":
            return f"refused: {error}"
        return None if error.field == vector.get("field") else f"blames {error.field}, not {vector.get('field')}"
    if "error" in vector:
        return f"accepted, where {vector['error']} was due"
    return None if frame == vector.get("frame", json.loads(vector["wire"])) else f"read as {frame}"


vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
faults = {vector["name"]: fault_of(vector) for vector in vectors}
failed = {name: fault for name, fault in faults.items() if fault is not None}
print(json.dumps({"passed": len(vectors) - len(failed), "failed": failed}))
