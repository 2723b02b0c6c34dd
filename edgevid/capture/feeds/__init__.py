"""Threads that read a source ahead of the loop."""
