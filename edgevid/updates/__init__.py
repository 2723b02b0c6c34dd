"""Change the model on a device: two slots, trial and return, from near and far."""
