"""Outputs for decisions and events. Each third-party library is imported in exactly one file here."""

from edgevid.outputs.output import Output, QuietOutput, Tap

__all__ = ["Output", "QuietOutput", "Tap"]
