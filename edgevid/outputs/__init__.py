"""Outputs for decisions and events. Each third-party library is imported in one file only."""

from edgevid.outputs.output import Output, QuietOutput, Tap

__all__ = ["Output", "QuietOutput", "Tap"]
