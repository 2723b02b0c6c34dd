"""Sources of frames. Each third-party capture library is imported in one file here, when a source of its kind is opened."""

from edgevid.capture.open import SOURCES_HELP, open_source
from edgevid.capture.source import Source

__all__ = ["SOURCES_HELP", "Source", "open_source"]
