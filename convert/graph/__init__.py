"""A trained model as a graph of layer calls, for Keras 3, tf_keras and exported functions alike."""
