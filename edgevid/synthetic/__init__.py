"""Synthetic video of a hand that makes gestures, with exact ground truth."""
