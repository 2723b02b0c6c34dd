"""Loads model files of Keras 2 and 3 and repairs those of other versions."""
