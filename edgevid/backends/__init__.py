"""Backends that execute `.tflite` parts: `litert` for real models, `fake` for Python functions in tests."""

from edgevid.backends.backend import Backend, LoadedPart

__all__ = ["Backend", "LoadedPart"]
