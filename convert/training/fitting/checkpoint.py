"""The state of a training after an epoch, in one file that is replaced atomically.

A training that goes on from it ends with the weights of one that was never stopped, as far as two processes round
alike: the file holds all variables, those of the optimiser and of the random generators among them, and what early
stopping knows.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.training.fitting.epoch import Epoch
from edgevid.atomic import replacing
from edgevid.errors import ModelError, UsageError
from edgevid.frames import Array

_META = "meta"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """What early stopping knows.

    Attributes:
        wait: Epochs since the lowest validation loss.
        best: That loss.
        best_epoch: Its epoch, from 0.
        best_weights: The weights after it.
    """

    wait: int
    best: float
    best_epoch: int
    best_weights: tuple[Array, ...]


@dataclass(frozen=True, kw_only=True)
class State:
    """A training after an epoch.

    Attributes:
        history: One entry per epoch so far.
        is_over: Whether early stopping ended it.
        variables: Of the network, with those of its random generators.
        optimizer: Variables of the optimiser.
        patience: What early stopping knows; None without held-out clips.
    """

    history: tuple[Epoch, ...]
    is_over: bool
    variables: tuple[Array, ...]
    optimizer: tuple[Array, ...]
    patience: Patience | None


@dataclass(frozen=True)
class Checkpoint:
    """A file of one training.

    Args:
        folder: Folder of the file; created when it is first written.
        key: Everything on which the training depends. Another training has another file.
    """

    folder: Path
    key: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{hashlib.sha256(self.key.encode()).hexdigest()[:20]}.npz"

    def write(self, state: State) -> None:
        """Replace the file.

        Raises:
            UsageError: The folder cannot be written.
        """
        patience = state.patience
        meta = {
            "history": [asdict(epoch) for epoch in state.history],
            "is_over": state.is_over,
            "patience": patience and {"wait": patience.wait, "best": patience.best, "best_epoch": patience.best_epoch},
        }
        arrays = {
            _META: np.array(json.dumps(meta)),
            **_numbered("variable", state.variables),
            **_numbered("optimizer", state.optimizer),
            **_numbered("best", patience.best_weights if patience else ()),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes no arrays by name
        except OSError as error:
            raise UsageError(
                expected=f"a folder for checkpoints at {self.folder}", found=str(error.strerror), path=self.folder
            ) from error

    def read(self) -> State | None:
        """Return the state, or None if this training never wrote one.

        Raises:
            ModelError: The file is damaged.
        """
        if not self.path.exists():
            return None
        try:
            # Of a damaged file, numpy would leave the handle open.
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            meta = json.loads(str(arrays[_META]))
            return _state(meta, arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(
                expected="a whole checkpoint",
                found=f"{self.path}: {type(error).__name__}",
                hint="Remove the file to train from the start.",
                path=self.path,
            ) from error


def _state(meta: dict[str, Any], arrays: dict[str, Array]) -> State:
    told = meta["patience"]
    return State(
        history=tuple(Epoch(**each) for each in meta["history"]),
        is_over=bool(meta["is_over"]),
        variables=_collected("variable", arrays),
        optimizer=_collected("optimizer", arrays),
        patience=None if told is None else Patience(**told, best_weights=_collected("best", arrays)),
    )


def _numbered(name: str, arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"{name}{number}": np.asarray(each) for number, each in enumerate(arrays)}


def _collected(name: str, arrays: dict[str, Array]) -> tuple[Array, ...]:
    count = sum(each.rstrip("0123456789") == name for each in arrays)
    return tuple(arrays[f"{name}{number}"] for number in range(count))
