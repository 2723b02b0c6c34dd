"""Published times of known models on known cores, from `firmware_configs/speed`, and the work of those models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar, get_args

from edgevid.boards_and_cameras import folder
from edgevid.prediction.work import Work
from edgevid.schema import from_toml, read_toml

Arithmetic = Literal["float32", "int8"]
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)
Kind = TypeVar("Kind")
# The library that runs a bundle's parts. The times of others only relate cores and models to each other.
OURS = "XNNPACK"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The times of one machine with one number of threads.

    Attributes:
        machine: Its name in the source.
        cpu: Core design, such as "Cortex-A72".
        clock_mhz: Clock of the cores.
        threads: Threads of the library.
        float32: Time of one picture in ms, by model.
        int8: The same of quantised models.
    """

    machine: str
    cpu: str
    clock_mhz: int
    threads: int
    float32: Mapping[str, float] = field(default_factory=dict)
    int8: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One published table.

    Attributes:
        engine: The library that ran the models.
        source: Where it is published.
        runs: Its machines.
    """

    engine: str
    source: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models of the tables.

    Attributes:
        made_with: The versions that counted them.
        slower: Core design -> the next slower one, to stand in where nothing is published.
        work: Work of one picture, by model.
    """

    made_with: str
    slower: Mapping[str, str]
    work: Mapping[str, Work]


@dataclass(frozen=True, kw_only=True)
class Time:
    """One published time.

    Attributes:
        engine: The library.
        arithmetic: "float32" or "int8".
        cpu: Core design.
        threads: Number of threads.
        model: Name of the model.
        work: The model's work.
        cycles_m: Time by clock, in millions of cycles.
    """

    engine: str
    arithmetic: Arithmetic
    cpu: str
    threads: int
    model: str
    work: Work
    cycles_m: float


@cache
def tables() -> tuple[Table, ...]:
    """Return the published tables, ours first."""
    return tuple(_read(Table, name) for name in ("xnnpack", "ncnn"))


@cache
def models() -> Models:
    """Return the models that the tables name."""
    return _read(Models, "models")


def times() -> Iterator[Time]:
    """Iterate over all published times."""
    for table in tables():
        for run in table.runs:
            for arithmetic in ARITHMETICS:
                for model, ms in getattr(run, arithmetic).items():
                    yield Time(
                        engine=table.engine,
                        arithmetic=arithmetic,
                        cpu=run.cpu,
                        threads=run.threads,
                        model=model,
                        work=models().work[model],
                        # In 1 ms, 1000 MHz are a million cycles.
                        cycles_m=ms * run.clock_mhz / 1000,
                    )


def _read(kind: type[Kind], name: str) -> Kind:
    path = folder() / "speed" / f"{name}.toml"
    return from_toml(kind, read_toml(path), f"speed/{path.name}")
