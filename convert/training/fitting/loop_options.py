"""Options of the loop of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convert.training.teaching.distillation import Distillation


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Options of the loop; see `FitOptions`."""

    epochs: int
    learning_rate: float
    clip_norm: float
    label_smoothing: float
    patience: int
    tensorboard: Path | None
    distillation: Distillation | None = None
