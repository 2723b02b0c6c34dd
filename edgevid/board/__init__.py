"""What the board tells of itself while it works: temperature, clock, throttling, supply, fan, memory.

Everything is read under a root that tests replace. No Raspberry Pi was read for this: paths and meanings are those of the kernel's and the
firmware's documentation, named where they are used.
"""

from edgevid.board.facts import identify
from edgevid.board.history import BoardHistory
from edgevid.board.sampler import BoardSampler
from edgevid.board.state import BoardState, read_state
from edgevid.board.throttling import Throttling

__all__ = ["BoardHistory", "BoardSampler", "BoardState", "Throttling", "identify", "read_state"]
