"""Arranges any model as one window in and one vector of scores out, and resolves the bundle's contract."""
