"""Sources of frames: cameras, network streams, files, and synthetic streams.

Each third-party capture library is imported in one module, when a source of its kind is opened.
"""

from edgevid.capture.open import POLICIES, SOURCES_HELP, Policy, open_source
from edgevid.capture.oriented import oriented
from edgevid.capture.source import Source
from edgevid.frames.orientation import Flip, Orientation, Rotation

__all__ = [
    "POLICIES",
    "SOURCES_HELP",
    "Flip",
    "Orientation",
    "Policy",
    "Rotation",
    "Source",
    "open_source",
    "oriented",
]
