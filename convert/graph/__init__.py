"""A trained model as a graph of layer calls, whichever framework it came from."""
