"""The state of the board while it works: temperature, clock, throttling, supply, fan, memory.

All files are read below a root that tests replace. Paths and meanings come from the documentation
of the kernel and the firmware, named where they are used; none was checked on a Raspberry Pi.
"""

from edgevid.board.facts import identify
from edgevid.board.history import BoardHistory
from edgevid.board.sampler import BoardSampler
from edgevid.board.state import BoardState, read_state
from edgevid.board.throttling import Throttling

__all__ = ["BoardHistory", "BoardSampler", "BoardState", "Throttling", "identify", "read_state"]
