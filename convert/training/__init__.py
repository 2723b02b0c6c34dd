"""Training a Keras model on labelled clips, and evaluating it on clips it has not seen."""
