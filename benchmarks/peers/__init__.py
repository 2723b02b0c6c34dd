"""Measures edgevid beside the runtimes that a user would pick instead, on the same models, frames and machine."""
