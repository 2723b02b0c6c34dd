"""Bring decisions and events to an output that may be slow or gone, in a thread of its own."""
