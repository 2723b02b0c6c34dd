"""The options of `edgevid bench` and `edgevid bench sweep`, as data."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from edgevid.bench.result import ScenarioKind
from edgevid.commands.options import HelpGroup, Option, positive_int, positive_seconds, size_px

if TYPE_CHECKING:
    from edgevid.bench.measuring.options import BenchOptions
    from edgevid.bundle import Bundle

_SOAK_S = 3600.0
# A model's interval is at least 2 ms.
_LEAST_FPS, _MOST_FPS = 0.01, 500
_PERCENTILE = re.compile(r"(p5|p25|p50|p90|p95|p99|p99\.9)=([0-9.]+)ms")
_AMOUNT = HelpGroup(title="how much to measure", description="Both minima are met, spread over fresh processes.")
_POWER = HelpGroup(title="energy", description="Power is read while the board is idle, and while it works.")


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A limit that a percentile must keep: of the age of answers in real time, else of the whole frame."""

    percentile: str
    limit_ms: float


def floor(text: str) -> Floor:
    """Read a floor.

    Args:
        text: Such as "p95=33ms".

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    found = _PERCENTILE.fullmatch(text)
    try:
        limit_ms = float(found[2]) if found else 0.0
    except ValueError:
        limit_ms = 0.0
    if not found or limit_ms <= 0:
        raise argparse.ArgumentTypeError(f"Expected a percentile and a limit, such as p95=33ms, got {text!r}.")
    return Floor(percentile=found[1], limit_ms=limit_ms)


def rate(text: str) -> float:
    """Read a number of frames a second.

    Args:
        text: A number from 0.01 to 500.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not _LEAST_FPS <= fps <= _MOST_FPS:
        raise argparse.ArgumentTypeError(f"Expected {_LEAST_FPS} to {_MOST_FPS} frames a second, got {text!r}.")
    return fps


def _cores(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isdecimal() for word in words) or len(set(words)) < len(words):
        raise argparse.ArgumentTypeError(f"Expected different numbers of cores, such as 2,3, got {text!r}.")
    return tuple(map(int, words))


def _seconds(text: str) -> float:
    return 0.0 if text == "0" else positive_seconds(text)


BENCH_OPTIONS: tuple[Option, ...] = (
    Option(
        name="--scenario",
        choices=get_args(ScenarioKind),
        default="saturate",
        help="saturate: noise frames as fast as they are taken. paced: noise frames when they are due. replay, "
        "camera: a recording at its own pace, a live source. start: starts alone, cold ones where this process may "
        "drop the kernel's caches. soak: paced, in one long process. crowd: paced, beside a load (default: saturate)",
    ),
    Option(
        name="--source",
        metavar="SOURCE",
        help="the recording of scenario replay or the camera of scenario camera, as for edgevid run",
    ),
    Option(
        name="--fps",
        type=rate,
        metavar="N",
        help="frames a second that are due in paced, soak and crowd (default: the model's rate)",
    ),
    Option(
        name="--size",
        type=size_px,
        metavar="WxH",
        help="size of the noise frames (default: the model's size, which needs no resize)",
    ),
    Option(name="--load", metavar="LOAD", default="", help="load of scenario crowd, by stress-ng, such as cpu=2,io=1"),
    Option(
        name="--find-rate",
        nargs=0,
        help="look for the highest rate with surely less than 1 %% misses; 500 frames at each of 7 rates",
    ),
    Option(
        name="--cross-check",
        nargs=0,
        help="time each part with LiteRT's own benchmark tool too, and fail a rule if it disagrees",
    ),
    Option(
        name="--clips",
        type=Path,
        metavar="DIR",
        help="measure the accuracy too, on clips in folders named after their labels",
    ),
    Option(
        name="--min-time",
        type=positive_seconds,
        metavar="SECONDS",
        group=_AMOUNT,
        help="least time to measure (default: 30; 3600 for soak)",
    ),
    Option(
        name="--min-frames",
        type=positive_int,
        metavar="N",
        default=2000,
        group=_AMOUNT,
        help="least number of answers (default: 2000)",
    ),
    Option(
        name="--processes",
        type=positive_int,
        metavar="N",
        group=_AMOUNT,
        help="number of fresh processes (default: 5, which a valid result needs; 1 for soak)",
    ),
    Option(
        name="--until-stable",
        nargs=0,
        group=_AMOUNT,
        help="add processes until the 95 %% interval of the median is within 1 %% of it",
    ),
    Option(
        name="--max-time",
        type=positive_seconds,
        metavar="SECONDS",
        default=1800.0,
        group=_AMOUNT,
        help="time after which --until-stable adds no process (default: 1800)",
    ),
    Option(
        name="--warm-up",
        type=_seconds,
        metavar="SECONDS",
        default=2.0,
        group=_AMOUNT,
        help="time in each process that is not counted (default: 2)",
    ),
    Option(
        name="--heat-first",
        type=_seconds,
        metavar="SECONDS",
        default=0.0,
        group=_AMOUNT,
        help="time to work before the first measurement, so that the board is as warm as it gets (default: 0)",
    ),
    Option(
        name="--cool-to",
        type=float,
        metavar="CELSIUS",
        group=_AMOUNT,
        help="wait before each process until the chip is as cool as this, for the speed of a cold board",
    ),
    Option(
        name="--affinity",
        type=_cores,
        metavar="CORES",
        default=(),
        help="cores to run on, such as 2,3 (default: all)",
    ),
    Option(
        name="--starts",
        type=positive_int,
        metavar="N",
        default=3,
        group=_AMOUNT,
        help="number of fresh processes to measure start-up in (default: 3)",
    ),
    Option(
        name="--seed",
        type=int,
        metavar="N",
        default=0,
        group=_AMOUNT,
        help="seed of the noise and of the order of processes (default: 0)",
    ),
    Option(
        name="--power",
        metavar="SENSOR",
        group=_POWER,
        help="pmic for the Raspberry Pi 5, hwmon:NAME for a sensor of the kernel, csv:FILE for a meter's log with the "
        "columns time_s (since 1970) and power_w",
    ),
    Option(
        name="--idle",
        type=positive_seconds,
        metavar="SECONDS",
        default=60.0,
        group=_POWER,
        help="time to measure idleness before and after (default: 60)",
    ),
)


def bench_options(args: argparse.Namespace, bundle: Bundle) -> BenchOptions:
    """Return the options of the command line.

    Args:
        args: Parsed `BENCH_OPTIONS`, `threads` and `delegate`.
        bundle: The bundle, for `--threads auto`.
    """
    from edgevid.bench.measuring.loop import NOISE
    from edgevid.bench.measuring.options import BenchOptions

    is_soak = args.scenario == "soak"
    return BenchOptions(
        scenario=args.scenario,
        source=args.source or NOISE,
        fps=args.fps,
        size=args.size,
        threads=_threads(args, bundle),
        delegate=args.delegate.as_text(),
        min_time_s=args.min_time or (_SOAK_S if is_soak else 30.0),
        min_frames=args.min_frames,
        processes=args.processes or (1 if is_soak else 5),
        warm_up_s=args.warm_up,
        until_stable=args.until_stable,
        max_time_s=args.max_time,
        cool_to_c=args.cool_to,
        affinity=args.affinity,
        heat_first_s=args.heat_first,
        starts=args.starts,
        load=args.load,
        find_rate=args.find_rate,
        cross_check=args.cross_check,
        clips=args.clips,
        power=args.power,
        idle_s=args.idle,
        seed=args.seed,
    )


def passed_on(args: argparse.Namespace) -> list[str]:
    """Return the options that were given, as words for the same command elsewhere.

    Args:
        args: Parsed `BENCH_OPTIONS`, `threads` and `delegate`.
    """
    words = ["--threads", str(args.threads), "--delegate", args.delegate.as_text()]
    for option in BENCH_OPTIONS:
        value = getattr(args, option.key)
        if option.is_switch and value:
            words.append(option.name)
        elif not option.is_switch and value not in (None, option.default):
            words += [option.name, _as_word(option, value)]
    return words


def _as_word(option: Option, value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return ("," if option.name == "--affinity" else "x").join(map(str, value))


def _threads(args: argparse.Namespace, bundle: Bundle) -> int:
    from edgevid.commands.engine_options import AUTO_THREADS, open_engine

    # Every process shall use the same number, so it is measured here.
    return open_engine(bundle, args).threads if args.threads == AUTO_THREADS else int(args.threads)
