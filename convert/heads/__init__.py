"""Recurrent layers split into the input projection, which can run once per frame, and the step over time.

Each family has a module with its cell; `cell_of` picks the cell for a layer. `Recurrent` runs a layer over a
window with plain operators only: a WHILE loop crashes the converter in int8 (tensorflow#75140).
"""

from convert.heads.causal_conv import CausalConv, is_causal_convolution
from convert.heads.cell_interface import Cell
from convert.heads.choose_cell import cell_of
from convert.heads.unroll import Recurrent, is_recurrent

__all__ = ["CausalConv", "Cell", "Recurrent", "cell_of", "is_causal_convolution", "is_recurrent"]
