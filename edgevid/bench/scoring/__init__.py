"""Accuracy beside the latency: labelled clips through the same engine."""
