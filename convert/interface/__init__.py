"""Arranges a model as one window in and one vector of scores out; resolves its contract."""
