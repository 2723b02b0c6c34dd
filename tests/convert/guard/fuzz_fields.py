"""Builds each class of a framework with hostile values in each field, and watches what Python does.

    python fuzz_fields.py keras|tf_keras

Prints one line of JSON: how many descriptions the guard refused, how many were built, and which acted.
"""

import codecs
import contextlib
import inspect
import io
import json
import marshal
import sys
from pathlib import Path

CANARY = Path("canary.txt")
CODE = codecs.encode(marshal.dumps(compile("open('canary.txt').read()", "<hostile>", "eval")), "base64").decode("ascii")
FUNCTION = {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}
PAYLOADS = (
    str(CANARY),
    f"file://{CANARY}",
    "os.system",
    "sin",
    [str(CANARY)],
    FUNCTION,
    {**FUNCTION, "config": "relu"},
    {"class_name": "__lambda__", "config": {"value": [CODE, None, None]}},
    {"class_name": "Lambda", "config": {"name": "l", "function": [CODE, None, None], "function_type": "lambda"}},
    {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": str(CANARY)}},
    {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": str(CANARY)}},
    {"class_name": "Dense", "module": "keras.layers", "config": {"units": 2, "activation": FUNCTION}},
    [CODE, None, None],
)
TYPED = [CODE, None, None]
acted: list[str] = []
# What is built at the moment, as the only element.
current: list[str] = [""]


def watch(event, arguments):
    if event in ("os.system", "subprocess.Popen", "os.exec", "socket.connect", "os.posix_spawn") or (
        event == "open" and str(arguments[0]).endswith(CANARY.name)
    ):
        acted.append(f"{current[0]}: {event} {arguments[0]!r}")


def fields_of(built):
    with contextlib.suppress(TypeError, ValueError):
        return sorted(set(inspect.signature(built).parameters) - {"self", "args", "kwargs"})
    return []


def descriptions(framework):
    """Yield each class of a framework by name, with each payload in each field."""
    for part in ("layers", "initializers", "regularizers", "constraints"):
        space = getattr(framework, part)
        for name in sorted(each for each in dir(space) if isinstance(getattr(space, each), type)):
            for field in fields_of(getattr(space, name)):
                for payload in PAYLOADS:
                    yield part, name, {field: payload}
                yield part, name, {field: TYPED, f"{field}_type": "lambda", f"{field}_module": "os"}


def main():
    CANARY.write_text("secret")
    import keras
    import tf_keras

    from convert.guard.check import configuration_guard
    from convert.loading.custom_objects import application_objects

    name = sys.argv[1]
    framework = {"keras": keras, "tf_keras": tf_keras}[name]
    guard, objects = configuration_guard(), application_objects(name)
    refused, built, classes = 0, 0, set()
    sys.addaudithook(watch)
    for part, class_name, fields in descriptions(framework):
        config = {"class_name": class_name, "config": {"name": "x", **fields}}
        if name == "keras":
            config |= {"module": f"keras.{part}", "registered_name": None}
        if guard.findings(config):
            refused += 1
            if not guard.findings({**config, "config": {}}):
                continue
            classes.add(class_name)
            continue
        current[0] = json.dumps(config)
        built += 1
        # Most of these cannot be built; what matters is what happens on the way.
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            made = getattr(framework, part).deserialize(config, custom_objects=objects)
            if part == "layers":
                made(framework.Input((4, 8, 8, 3)))
    print(json.dumps({"refused": refused, "built": built, "refused_classes": len(classes), "acted": acted}))


if __name__ == "__main__":
    main()
