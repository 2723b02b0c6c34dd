"""The loop of a training: epochs, early stopping, and the state from which a stopped training goes on."""
