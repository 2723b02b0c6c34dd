"""Heads over the features of a window, and how each is fitted to them."""
