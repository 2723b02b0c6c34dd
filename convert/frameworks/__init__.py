"""What edgevid knows of TensorFlow and of both Keras versions: set-up, memory, messages, layers of its own."""
