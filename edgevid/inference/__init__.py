"""Inference: turn prepared frames into probabilities with the parts of a bundle."""
