"""Choose the layout of thin convolutions for this machine by measuring, never by the processor's name.

XNNPACK chooses its kernels by more than the instruction set: by version, by build, by the shapes. So every
layout that some kernel would profit from is converted and timed, beside the model as it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np

from convert.progress import Progress
from convert.quantization.converter_protocol import PartConverter
from convert.quantization.space_to_depth import HOST, KERNELS, Packing, pack, pack_as, packings
from convert.splitting.split import PartFunction, Split
from edgevid.backends.litert import LiteRt
from edgevid.units import NS_PER_MS

AS_TRAINED = "as trained"
# Another layout must save this share of the time: less may be chance.
_WORTHWHILE = 0.97
_ROUNDS, _ROUND_NS = 7, 60_000_000
_SAMPLES = 8


def arrange(parts: Split, model: Any, target: str, converter: PartConverter, progress: Progress) -> Split:
    """Return the parts in the best layout for a target.

    Args:
        parts: The split model.
        model: The Keras model whose layers the parts call.
        target: As for `space_to_depth.pack`; "host" is measured.
        converter: Converts the candidates.
        progress: Told what was measured.

    Returns:
        The parts; the same object if they stay as trained.

    Raises:
        UsageError: There is no such target.
        ConversionError: The converter rejects a candidate.
    """
    if target != HOST or not converter.calibrates:
        return pack(parts, model, target)
    candidates: dict[str, Split] = {AS_TRAINED: parts}
    plans: list[Mapping[Any, Packing]] = [{}]
    for kernel in KERNELS.values():
        plan = packings(model, kernel)
        if plan not in plans:
            plans.append(plan)
            candidates[_name(plan)] = pack_as(parts, plan)
    if len(candidates) == 1:
        return parts
    ms = _measure({name: _timed(split, converter) for name, split in candidates.items()})
    chosen = fastest(ms)
    times = ", ".join(f"{name} {value:.4f} ms" for name, value in ms.items())
    progress.step(f"layout of the first convolutions on this machine, measured in int8: {times}: {chosen}")
    return candidates[chosen]


def fastest(ms: Mapping[str, float]) -> str:
    """Return the fastest layout; the trained one unless another saves 3 %.

    Args:
        ms: Milliseconds by layout, with `AS_TRAINED`.
    """
    best = min(ms, key=lambda name: ms[name])
    return best if ms[best] <= _WORTHWHILE * ms[AS_TRAINED] else AS_TRAINED


def _name(plan: Mapping[Any, Packing]) -> str:
    return f"groups of {' and '.join(f'{each.pixels}' for each in plan.values())} pixels"


def _timed(split: Split, converter: PartConverter) -> Callable[[], float]:
    """Convert the part with the pictures; return what times a round of it."""
    part: PartFunction = split.encoder or split.whole
    rng = np.random.default_rng(0)
    # The speed depends on no value, so drawn frames serve.
    samples = [rng.uniform(0, 1, (_SAMPLES, *shape[1:])).astype(np.float32) for shape in part.input_shapes]
    made = converter.convert(part, "int8", samples)
    loaded = LiteRt().load(made.part, made.data)
    for index, tensor in enumerate(made.part.inputs):
        loaded.write(index, np.zeros(tensor.shape, tensor.dtype))

    def round_ms() -> float:
        took_ns: list[int] = []
        until_ns = perf_counter_ns() + _ROUND_NS
        while perf_counter_ns() < until_ns or len(took_ns) < 3:
            began_ns = perf_counter_ns()
            loaded.invoke()
            took_ns.append(perf_counter_ns() - began_ns)
        return float(np.median(took_ns)) / NS_PER_MS

    return round_ms


def _measure(rounds: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Return the least of the rounds' medians, in ms; the rounds alternate, so that a disturbance meets all."""
    for round_ms in rounds.values():
        round_ms()
    measured = [{name: round_ms() for name, round_ms in rounds.items()} for _ in range(_ROUNDS)]
    return {name: min(each[name] for each in measured) for name in rounds}
