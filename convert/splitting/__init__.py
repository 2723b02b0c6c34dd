"""Split a graph into a per-frame encoder and a temporal head."""
