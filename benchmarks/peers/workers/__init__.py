"""Programs that run one peer in its own environment; they import the peer's library and numpy."""
