"""`.onnx` files, as PyTorch exports them, with the interface of a Keras model.

`read` checks the file, `axes` finds what its input means, `importing` translates its operators to calls of
Keras layers and plain operators, and `model` answers by ONNX Runtime: the original of the proof is the file.

Every operator is on a list (`importing.OPERATORS`) and is translated here, so that the splitter sees layers
and the file runs no code. See docs/explanation/decisions/0041-onnx-files-become-layers.md.
"""
