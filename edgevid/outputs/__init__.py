"""Where decisions and events go. Each third-party output library is imported in one file here."""

from edgevid.outputs.output import Output, QuietOutput, Tap

__all__ = ["Output", "QuietOutput", "Tap"]
