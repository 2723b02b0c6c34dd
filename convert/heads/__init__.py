"""Recurrent layers taken apart: the input projection, which can run once a frame, and the step over time, which cannot.

One file a family. `recurrence(layer)` finds the right one; `unroll` runs a layer over a window with plain operators only, because a WHILE
loop ends the converter with a segmentation fault in int8 (tensorflow#75140).
"""

from convert.heads.causal_conv import CausalConv, is_causal_convolution
from convert.heads.cell import Cell
from convert.heads.cells import cell_of
from convert.heads.unroll import Recurrent, is_recurrent

__all__ = ["CausalConv", "Cell", "Recurrent", "cell_of", "is_causal_convolution", "is_recurrent"]
