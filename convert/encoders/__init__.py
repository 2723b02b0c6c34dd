"""Pretrained networks that turn one frame into features, as encoders of a video classifier."""
