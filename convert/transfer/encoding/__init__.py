"""Encoding of clips: their windows, the interpreter, the reading through the cache, and processes for many clips.

Nothing here imports TensorFlow or Keras, so that a process that encodes takes little memory.
"""
