"""Quantise parts with the TensorFlow Lite converter, in a child process, and measure what that costs each layer."""
