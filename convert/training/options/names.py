"""Names of encoders and heads, as the options of training have them."""

from __future__ import annotations

from typing import Literal, get_args

SMALL, AUTO = "small", "auto"
ROWS = "rows"
"""In place of an encoder, for clips of rows: they are features already."""
HeadName = Literal["mean", "stats", "lstm", "gru", "tcn", "attention", "bilstm"]
HEADS: tuple[HeadName, ...] = get_args(HeadName)
CAUSAL: tuple[HeadName, ...] = ("lstm", "gru", "tcn")
"""Heads that answer at every frame, and so can be trained to."""
QUICK = (AUTO, "mean", "stats")
"""Heads that take seconds to fit to features on disk."""
