"""Rewrite a graph so that its frames can be told apart: exported functions, time in the batch, branches per frame."""
