"""The bundle, `*.edgevid`: a zip of stored members that carries a model, its contract and its proof.

`docs/bundle-format.md` is the specification.
"""

from edgevid.bundle.archive import Bundle, read, write

__all__ = ["Bundle", "read", "write"]
