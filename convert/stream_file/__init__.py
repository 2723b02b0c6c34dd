"""`.tflite` files whose states are inputs and outputs, as bundles of plan `stateful` in one part.

MoViNet's streams are such files, and so are single steps of an LSTM or GRU. `pairs` finds which output
becomes which input of the next frame, `initial` reads where the states start, `model` runs the file by
hand, and `adopt` wraps it for the conversion.
"""
