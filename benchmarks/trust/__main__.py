"""Can `edgevid bench` be trusted? It shall call equal runs equal, find 3 %, and refuse a busy machine.

    python -m benchmarks.trust [--min-time 40] [--repeats 3]

Each repeat measures one bundle three times: as it is, again, and with every run of a part made
longer by 3 %. The first two are compared, and the first with the third. Then a program that keeps
a core busy runs beside a fourth measurement. Run it on a quiet machine: on another one, edgevid
says INVALID, which is an answer too, but not to this question.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.writing.results_file import goals_text, table, write
from edgevid import DEMO
from edgevid.bench.compare import compare
from edgevid.bench.measuring.measure import Measurement, measure
from edgevid.bench.measuring.options import BenchOptions
from edgevid.bench.verdict import verdict

ROOT = Path(__file__).resolve().parents[2]
SLOWDOWN = 0.03
# Read by every fresh Python: makes each run of a part longer by a share of itself.
_SLOW = """
import time
from edgevid.backends import litert
run = litert.LiteRtModel.invoke
def slower(self):
    began = time.perf_counter_ns()
    run(self)
    until = began + (time.perf_counter_ns() - began) * {factor}
    while time.perf_counter_ns() < until:
        pass
litert.LiteRtModel.invoke = slower
"""


@contextmanager
def slowed(factor: float) -> Iterator[None]:
    """Make every fresh process slower while the block runs."""
    before = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(_SLOW.format(factor=factor))
        os.environ["PYTHONPATH"] = f"{folder}:{ROOT}"
        try:
            yield
        finally:
            os.environ.pop("PYTHONPATH")
            if before is not None:
                os.environ["PYTHONPATH"] = before


@contextmanager
def busy() -> Iterator[None]:
    """Keep a core busy while the block runs, by a program that is no child of this one."""
    command = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    pid = int(subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True).stdout)
    try:
        yield
    finally:
        os.kill(pid, 9)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trust", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--min-time", type=float, default=40.0, help="seconds of each measurement (default: 40)")
    parser.add_argument("--repeats", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--bundle", type=Path, default=DEMO, help="the bundle (default: that of the demo)")
    args = parser.parse_args()
    options = BenchOptions(min_time_s=args.min_time, starts=1)
    equal, slower, verdicts = [], [], []
    for number in range(args.repeats):
        first, again = (measure(args.bundle, options, say=_say) for _ in range(2))
        # The slowdown hook itself costs a little: the base of that comparison has it too.
        with slowed(1.0):
            hooked = measure(args.bundle, options, say=_say)
        with slowed(1 + SLOWDOWN):
            slow = measure(args.bundle, options, say=_say)
        equal.append(_compared(first, again))
        slower.append(_compared(hooked, slow))
        verdicts.append(verdict(first.result))
        _say(f"{number + 1}: {equal[-1]}; {slower[-1]}; {verdicts[-1]}")
    with busy():
        crowded = verdict(measure(args.bundle, options, say=_say).result)
    goals = {
        "equal runs are the same within 1 %": all(each["word"] == "same within 1 %" for each in equal),
        "a slowdown of 3 % is found": all(each["word"] == "slower" for each in slower),
        "a busy machine is INVALID": crowded.startswith("INVALID"),
    }
    path = write(
        "bench_trust",
        question="Does edgevid bench call equal runs equal, find a slowdown of 3 %, and refuse a busy machine?",
        numbers={"equal": equal, "slower": slower, "verdicts": verdicts, "busy": crowded, "goals_met": goals},
        threads=1,
    )
    rows = [
        (kind, each["change"], each["word"])
        for kind, found in (("equal", equal), ("3 % slower", slower))
        for each in found
    ]
    print(table([("runs", "change", "word"), *rows]))
    print(f"\nbusy: {crowded}\n{goals_text(goals)}\nWrote {path}")
    return 0 if all(goals.values()) else 1


def _compared(old: Measurement, new: Measurement) -> dict[str, Any]:
    found = compare(old.result, new.result, old.samples, new.samples, even_invalid=True)
    low, high = found.shift.low, found.shift.high
    return {
        "word": found.word,
        "change": f"{found.shift.ratio - 1:+.2%}",
        "low": None if low is None else round(low - 1, 5),
        "high": None if high is None else round(high - 1, 5),
        "valid": old.result.validity.valid and new.result.validity.valid,
    }


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
