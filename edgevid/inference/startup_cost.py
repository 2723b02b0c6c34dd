"""Start-up cost: time and memory from a fresh Python process to the first answer.

`python -m edgevid.inference.startup_cost BUNDLE THREADS` prints one measurement as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from edgevid.errors import EdgevidError
from edgevid.units import NS_PER_MS

# Generous: a slow board may take many seconds to load a large model.
_LIMIT_S = 120


@dataclass(frozen=True, kw_only=True)
class Startup:
    """The cost of one start.

    Attributes:
        import_ms: Importing numpy, edgevid's engine and the interpreter.
        load_ms: Reading and checking the bundle and loading its parts.
        first_decision_ms: Processing frames at full speed up to the first answer.
        import_rss_mib: Resident memory after the imports; None if the kernel does not report it.
        rss_mib: Resident memory after the first answer; None if the kernel does not report it.
    """

    import_ms: float
    load_ms: float
    first_decision_ms: float
    import_rss_mib: float | None
    rss_mib: float | None


def measure(bundle: Path, *, threads: int = 1) -> Startup:
    """Measure one start in a child process.

    Raises:
        EdgevidError: The child failed or took longer than two minutes.
    """
    command = [sys.executable, "-P", "-m", "edgevid.inference.startup_cost", str(bundle), str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EdgevidError(
            expected=f"{bundle} to start in a fresh process within {_LIMIT_S} s", found="no answer", path=bundle
        ) from error
    if done.returncode != 0:
        # The last line of a traceback holds the exception.
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EdgevidError(
            expected=f"{bundle} to start in a fresh process",
            got=done.returncode,
            found=f"exit code {done.returncode}: {last_line}",
            path=bundle,
        )
    return Startup(**json.loads(done.stdout))


def start(bundle: Path, *, threads: int) -> Startup:
    """Measure a start in this process, which must not have imported the engine yet."""
    began_ns = perf_counter_ns()
    # These imports are part of the measurement.
    from edgevid import bundle as bundles
    from edgevid.backends.litert import LiteRt
    from edgevid.inference.engine import Engine
    from edgevid.telemetry.environment import rss_mib

    # LiteRt() imports the interpreter's package.
    interpreter = LiteRt(threads=threads)
    imported_ns, import_rss_mib = perf_counter_ns(), rss_mib()
    model = bundles.read(bundle)
    engine = Engine(model, backend=interpreter)
    loaded_ns = perf_counter_ns()
    for frame in model.golden.frames:
        engine.input_buffer()[...] = frame
        if engine.step() is not None:
            break
    return Startup(
        import_ms=_ms(imported_ns - began_ns),
        load_ms=_ms(loaded_ns - imported_ns),
        first_decision_ms=_ms(perf_counter_ns() - loaded_ns),
        import_rss_mib=import_rss_mib,
        rss_mib=rss_mib(),
    )


def _ms(ns: int) -> float:
    return round(ns / NS_PER_MS, 3)


def _print_measurement(arguments: list[str]) -> None:
    sys.stdout.write(json.dumps(dataclasses.asdict(start(Path(arguments[0]), threads=int(arguments[1])))) + "\n")


if __name__ == "__main__":
    _print_measurement(sys.argv[1:])
