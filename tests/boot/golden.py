"""A program that answers the golden clip, run on the board and here by the same text; what it prints must be the same."""

PROGRAM = """
import hashlib, pathlib, sys
import numpy as np
from edgevid import bundle
from edgevid.engine import Engine

place = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else sorted(pathlib.Path("/var/lib/edgevid").glob("*.edgevid"))[0]
model = bundle.read(place)
engine = Engine(model)
digest, answers = hashlib.sha256(), 0
for frame in model.golden.frames:
    np.copyto(engine.slot(), frame)
    scores = engine.step()
    if scores is not None:
        digest.update(np.ascontiguousarray(scores).tobytes())
        answers += 1
print(answers, digest.hexdigest())
"""
