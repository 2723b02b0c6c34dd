"""Run a trained video classifier frame by frame, on a Raspberry Pi or elsewhere, with numpy and LiteRT.

    import edgevid

    model = edgevid.load("action.edgevid")
    for event in model.events("picamera2"):
        print(event.label, event.start_s, event.end_s)

The names in `__all__` are the public API; every other module may change. A public name is imported
on first use, so `import edgevid` loads neither numpy nor the interpreter. The package `convert`
makes the bundles, on a workstation.
"""

__version__ = "0.1.0"

# Public name -> module, or "module:attribute" if the attribute has another name.
_PUBLIC = {
    "load": "edgevid.api.model",
    "run": "edgevid.api.session",
    "DEMO": "edgevid.api.model",
    "Model": "edgevid.api.model",
    "Stream": "edgevid.api.stream",
    "Session": "edgevid.api.session",
    "Decision": "edgevid.events.decide",
    "Event": "edgevid.events.decide",
    "count": "edgevid.events.repetitions",
    "Repetition": "edgevid.events.repetitions",
    "RepetitionCounter": "edgevid.events.repetitions",
    "Telemetry": "edgevid.telemetry.telemetry",
    "Page": "edgevid.api.outputs",
    "Mqtt": "edgevid.api.outputs",
    "Webhook": "edgevid.api.outputs",
    "Metrics": "edgevid.api.outputs",
    "Clips": "edgevid.api.outputs",
    "Record": "edgevid.api.outputs",
    "Timeline": "edgevid.api.outputs",
    "Lines": "edgevid.api.outputs",
    "OnEvent": "edgevid.api.outputs",
    "Output": "edgevid.outputs.output",
    "QuietOutput": "edgevid.outputs.output",
    "Collector": "edgevid.outputs.collect",
    "Frame": "edgevid.frames",
    "Region": "edgevid.frames.region",
    "KeypointRows": "edgevid.frames.keypoint_rows",
    "Source": "edgevid.capture",
    "open_source": "edgevid.capture",
    "Bundle": "edgevid.bundle.archive",
    "read_bundle": "edgevid.bundle.archive:read",
    "EdgevidError": "edgevid.errors",
}
__all__ = [  # noqa: RUF022  # most used first
    "load", "run", "DEMO", "Model", "Stream", "Session", "Decision", "Event",
    "count", "Repetition", "RepetitionCounter", "Telemetry",
    "Page", "Mqtt", "Webhook", "Metrics", "Clips", "Record", "Timeline", "Lines", "OnEvent",
    "Output", "QuietOutput", "Collector", "Frame", "Region", "KeypointRows", "Source", "open_source",
    "Bundle", "read_bundle", "EdgevidError", "errors", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    # Here, so that `import edgevid` imports no module at all.
    import importlib

    # `errors` is a module, not an attribute of one.
    if name == "errors":
        return importlib.import_module("edgevid.errors")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgevid' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    # Cached in the module's globals, so that Python calls __getattr__ once per name.
    value = globals()[name] = getattr(importlib.import_module(module), attribute or name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
