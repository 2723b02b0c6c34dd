"""The workers of one training on several machines, as the variable `TF_CONFIG` names them.

Each worker runs the same command on the same clips. TensorFlow's `MultiWorkerMirroredStrategy` connects them.
Importing this module imports no TensorFlow.

Source: the guide "Distributed training with TensorFlow", section "TF_CONFIG environment variable".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convert.frameworks.tensorflow_setup import quiet_start, use_onednn
from edgevid.errors import UsageError

VARIABLE = "TF_CONFIG"
_CHIEF, _WORKER = "chief", "worker"
_HINT = (
    'An example: {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Workers:
    """The place of this process among the workers.

    Attributes:
        count: Number of workers.
        index: Number of this one; 0 is the chief, which writes all files.
    """

    count: int
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the model, the report and the checkpoint."""
        return self.index == 0


def stated_workers(environment: Mapping[str, str] = os.environ) -> Workers | None:
    """Parse `TF_CONFIG`.

    Args:
        environment: The process's environment.

    Returns:
        None if the variable is missing or empty.

    Raises:
        UsageError: It does not name this process among workers.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    try:
        stated = json.loads(text)
        cluster, task = dict(stated["cluster"]), dict(stated["task"])
        job, index = task["type"], task["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid(f"cluster and task in {VARIABLE}", text) from error
    chiefs, workers = (_addresses(cluster.pop(name, []), text) for name in (_CHIEF, _WORKER))
    if cluster or len(chiefs) > 1 or not (chiefs or workers):
        raise _invalid(f"workers, and at most one chief, in the cluster of {VARIABLE}", text)
    mine = {_CHIEF: chiefs, _WORKER: workers}.get(job) if isinstance(job, str) else None
    if not mine or not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(mine):
        raise _invalid(f"a task of {VARIABLE} that is in its cluster", str(task))
    return Workers(len(chiefs) + len(workers), index + (len(chiefs) if job == _WORKER else 0))


def _addresses(listed: Any, text: str) -> list[str]:
    is_legal = isinstance(listed, list) and all(
        isinstance(each, str) and each.rpartition(":")[0] and each.rpartition(":")[2].isdecimal() for each in listed
    )
    if not is_legal:
        raise _invalid(f"addresses HOST:PORT in {VARIABLE}", text)
    return list(listed)


def _invalid(expected: str, found: str) -> UsageError:
    return UsageError(expected=expected, found=found, hint=f"{_HINT}.")


@dataclass(frozen=True)
class ConnectedWorkers:
    """Workers that are connected.

    Attributes:
        place: The place of this process among them.
        strategy: TensorFlow's strategy.
    """

    place: Workers
    strategy: Any

    def gathered(self, rows: Any) -> Any:
        """Return the rows (n, ...) of all workers as one numpy array, in their order."""
        import tensorflow as tf

        strategy = self.strategy
        # Outside of a graph, TensorFlow warns of the time that this takes.
        return tf.function(lambda: strategy.gather(strategy.run(lambda: rows), axis=0), autograph=False)().numpy()

    def wait(self) -> None:
        """Return when all workers are here."""
        import tensorflow as tf

        self.gathered(tf.constant([0]))


# A process can connect once, and only before TensorFlow's first operation.
_connected: list[ConnectedWorkers] = []


def connect_workers() -> ConnectedWorkers | None:
    """Connect the workers that `TF_CONFIG` names; this returns when all of them are there.

    Returns:
        None without the variable.

    Raises:
        UsageError: The variable is wrong, or TensorFlow already runs in this process.
    """
    place = stated_workers()
    if place is None or _connected:
        return connected_workers()
    use_onednn()
    try:
        with quiet_start():
            import tensorflow as tf

            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise UsageError(
            expected=f"{VARIABLE} before the first use of TensorFlow in a process",
            found="an operation before it",
            hint="Train first, or in a process of its own.",
        ) from error
    _connected.append(ConnectedWorkers(place, strategy))
    return _connected[0]


def connected_workers() -> ConnectedWorkers | None:
    """Return the workers that `connect_workers` connected; None if it did not."""
    return _connected[0] if _connected else None
