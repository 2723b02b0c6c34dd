"""Quantise parts with the TensorFlow Lite converter in a child process, and measure the loss of each layer."""
