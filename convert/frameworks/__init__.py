"""TensorFlow and both Keras versions: set-up, memory, error messages, private names, and edgevid's own layers."""
