"""Training: from clips to a Keras model, and how right it is on clips it has not seen."""
