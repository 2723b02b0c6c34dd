"""Backends that execute parts: `litert` for `.tflite` files, `fake` for Python functions."""

from edgevid.backends.backend import Backend, LoadedPart

__all__ = ["Backend", "LoadedPart"]
