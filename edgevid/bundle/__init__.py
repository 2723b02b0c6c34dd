"""The bundle, `*.edgevid`: a zip archive with a model, its manifest and its golden vectors.

`docs/bundle-format.md` is the specification.
"""

from edgevid.bundle.archive import Bundle, read, write

__all__ = ["Bundle", "read", "write"]
