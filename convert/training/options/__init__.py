"""The options of `convert.train` and `edgevid train`, and which of them fit each other."""

from convert.training.options.names import AUTO, CAUSAL, HEADS, QUICK, ROWS, SMALL, HeadName
from convert.training.options.train_options import TrainOptions

__all__ = ["AUTO", "CAUSAL", "HEADS", "QUICK", "ROWS", "SMALL", "HeadName", "TrainOptions"]
