"""What runs a `.tflite` part. `litert` is the real one; `fake` computes in numpy, for tests and for users without the interpreter."""

from edgevid.backends.backend import Backend, LoadedPart

__all__ = ["Backend", "LoadedPart"]
