"""Which trained models convert, by the stock route and by ours?

    python benchmarks/compat.py DIR... --clips DIR [--per-class 18] [--timeout 900] [--only TEXT]

Every model file in the folders (`.h5`, `.hdf5`, `.keras`, `.tflite`, SavedModel folders) is tried twice, each time in a process of its own:

- stock: `keras.models.load_model`, `TFLiteConverter.from_keras_model`, int8 with builtins only; what a person who follows the documentation does.
- ours: `convert_model` with its defaults, BGR frames and T of them at equal steps over each clip, as the usual tutorials train. A file converts where
  a bundle is written, which takes the trained model's answer on 98 % of the clips. Models over features, for which there are no clips, get random
  walks; their agreement says that the numbers are kept, not that anyone's gestures are.

A file that holds no model (weights only), or one that runs code, is rightly refused: it counts as refused, and the reason is told. Goals: every file
of `../shared/models` that holds a model, and 95 % of other people's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from results_file import table, write

SUFFIXES = (".h5", ".hdf5", ".keras", ".tflite")
HEADING = ("model", "Keras", "stock route, int8", "ours", "plan, precision", "agreement", "s", "reason")
# What a refusal says where the file, and not the converter, is the reason.
RIGHTLY = (
    "weights only",
    "without code",
    "Flex",
    "Edge TPU",
    "--custom-objects",
    "no scores to decide by",
    "known input shape",
    "static trip count",
)
STOCK = """
import json, sys
import numpy as np, keras, tensorflow as tf
path = sys.argv[1]
stage = "load"
try:
    model = keras.models.load_model(path, compile=False)
    stage = "convert"
    shapes = [(1, *tensor.shape[1:]) for tensor in model.inputs]
    rng = np.random.default_rng(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.random(shape, np.float32) for shape in shapes] for _ in range(4))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    stage = f"wrote {len(converter.convert())} bytes"
    print("\\n" + json.dumps({"ok": True, "stage": stage}))
except Exception as error:
    print("\\n" + json.dumps({"ok": False, "stage": stage}))
"""


@dataclass(frozen=True)
class Row:
    """One file by both routes.

    Attributes:
        model: Folder and file.
        keras: Version that wrote it.
        stock: How far the stock route came.
        stock_converts: Whether it ended in a file.
        loads, converts: Whether ours did.
        refused_rightly: Whether the file is the reason that ours did not.
        agreement: Share of clips with the trained model's answer.
        plan, precision: Of the bundle.
        seconds: Ours, with start-up.
        peak_mib: Greatest memory of ours, the converter's process not counted.
        reason: Why ours refused.
        notes: What ours assumed.
    """

    model: str
    keras: str
    stock: str
    stock_converts: bool
    loads: bool
    converts: bool
    refused_rightly: bool
    agreement: float | None
    plan: str
    precision: str
    seconds: float
    peak_mib: float
    reason: str
    notes: tuple[str, ...]


def main() -> int:
    """Try every file, print the table, write the results."""
    args = _arguments()
    if args.one:
        return _ours_here(Path(args.one), Path(args.work), args.clips, args.per_class)
    rows = []
    for root, path in _models(args.folders, args.only):
        rows.append(_try(root, path, args))
        sys.stderr.write(f"{_line(rows[-1])}\n")
    sys.stdout.write(f"{table([HEADING, *map(_cells, rows)])}\n\n{_summary(rows)}\n")
    if not args.only:
        numbers = {
            "rows": [asdict(row) for row in rows],
            **_totals(rows),
            "table": table([HEADING, *map(_cells, rows)]),
        }
        write("compat", question=str(__doc__).splitlines()[0], numbers=numbers)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR", help="real clips, <class>/<clip>")
    parser.add_argument(
        "--per-class", type=int, default=18, metavar="N", help="clips of each class that are used (default: 18)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=900.0,
        metavar="S",
        help="longest time for one file by one route (default: 900)",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="only files with this in their names; writes no results"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    return parser.parse_args()


def _models(folders: Sequence[Path], only: str) -> Iterator[tuple[Path, Path]]:
    for root in folders:
        saved = {each.parent for each in root.rglob("saved_model.pb")}
        files = [
            each
            for each in root.rglob("*")
            if each.suffix in SUFFIXES and each.is_file() and not saved & set(each.parents)
        ]
        yield from ((root, path) for path in sorted([*files, *saved]) if only in path.name)


def _try(root: Path, path: Path, args: argparse.Namespace) -> Row:
    stock, stock_converts = _stock(path, args.timeout)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgevid-compat-") as work:
        command = [
            sys.executable,
            __file__,
            "--one",
            str(path),
            "--work",
            work,
            "--clips",
            str(args.clips),
            "--per-class",
            str(args.per_class),
        ]
        code, output = _child(command, args.timeout)
        answer = _last_json(output) or {"reason": _death(code, args.timeout)}
    reason = str(answer.get("reason", ""))
    return Row(
        model=str(path.relative_to(root)),
        keras=str(answer.get("keras", "")),
        stock=stock,
        stock_converts=stock_converts,
        loads=bool(answer.get("loads")),
        converts=bool(answer.get("converts")),
        refused_rightly=any(mark in reason for mark in RIGHTLY),
        agreement=answer.get("agreement"),
        plan=str(answer.get("plan", "")),
        precision=str(answer.get("precision", "")),
        seconds=round(time.monotonic() - started_s, 1),
        peak_mib=float(answer.get("peak_mib", 0.0)),
        # A file's own path says nothing of the file.
        reason=reason.replace(str(path), path.name),
        notes=tuple(answer.get("notes", ())),
    )


def _stock(path: Path, timeout_s: float) -> tuple[str, bool]:
    if path.suffix == ".tflite":
        return "is a .tflite", False
    code, output = _child([sys.executable, "-c", STOCK, str(path)], timeout_s)
    answer = _last_json(output)
    if answer is None:
        return _death(code, timeout_s), False
    return ("converts" if answer["ok"] else f"fails to {answer['stage']}"), bool(answer["ok"])


def _child(command: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Run a process and all that it starts; give its status, None where its time was up, and what it printed."""
    env = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True, env=env
    )
    try:
        output, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return None, ""
    return child.returncode, output


def _last_json(output: str) -> dict[str, Any] | None:
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return None


def _death(code: int | None, timeout_s: float) -> str:
    if code is None:
        return f"not done in {timeout_s:.0f} s"
    return f"dies of {signal.Signals(-code).name}" if code < 0 else f"ends with status {code}"


def _ours_here(path: Path, work: Path, clips: Path, per_class: int) -> int:
    """Convert one file in this process, and print what came of it as one line of JSON."""
    from edgevid.errors import EdgevidError

    answer: dict[str, Any] = {"loads": False, "converts": False}
    try:
        _convert(path, work, clips, per_class, answer)
    except EdgevidError as error:
        answer["reason"] = str(error)
    except Exception as error:  # noqa: BLE001  # the top of this program: whatever it is belongs into the table
        answer["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    answer["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0)
    print("\n" + json.dumps(answer))
    return 0


@dataclass(frozen=True)
class _Seen:
    """What a model file takes: the length of its window, a frame's shape, and what wrote it."""

    frames: int
    frame: tuple[int, ...]
    written_by: str


def _look(path: Path) -> _Seen:
    """Load a model file only to see what it takes."""
    from convert.interface.arrange import arrange
    from convert.loading.load import load
    from convert.prebuilt import adopt
    from edgevid.backends.survey import is_tflite

    if is_tflite(path):
        adopted = adopt(path)
        return _Seen(adopted.parts.frames, adopted.parts.frame_shape, adopted.loaded.written_by)
    trained = load(path)
    window = arrange(trained.model).graph.input_shape
    return _Seen(int(window[0] or 1), tuple(int(size or 1) for size in window[1:]), trained.written_by)


def _convert(path: Path, work: Path, clips: Path, per_class: int, answer: dict[str, Any]) -> None:
    from convert import Options, convert_model

    seen = _look(path)
    answer.update(loads=True, keras=seen.written_by)
    chosen = (
        _picked(clips, work / "clips", per_class)
        if len(seen.frame) == 3
        else _walks(work / "walks", seen.frames, seen.frame[0])
    )
    color = "bgr" if seen.frame[-1] == 3 and len(seen.frame) == 3 else None
    done = convert_model(path, chosen, work / "out.edgevid", options=Options(interval="uniform", color=color))
    precision = "+".join(dict.fromkeys(done.report["precision"].values()))
    answer.update(
        converts=True,
        agreement=done.report["agreement"],
        plan=done.report["plan"],
        precision=precision,
        notes=done.report["notes"],
    )


def _picked(clips: Path, target: Path, per_class: int) -> Path:
    """Some clips of each class, evenly, without the classes' names: these are not the models'."""
    target.mkdir()
    for folder in sorted(each for each in clips.iterdir() if each.is_dir()):
        files = sorted(each for each in folder.iterdir() if each.is_file())
        for index in np.unique(np.linspace(0, len(files) - 1, min(per_class, len(files))).astype(int)):
            (target / f"{folder.name}-{files[index].name}").symlink_to(files[index].resolve())
    return target


def _walks(target: Path, frames: int, width: int, count: int = 60) -> Path:
    """Smooth random walks within -1 to 1, as normalised key points move."""
    target.mkdir()
    for index in range(count):
        rng = np.random.default_rng(index)
        steps = rng.normal(0, 0.08, (frames + 8, width)).cumsum(axis=0)
        np.save(target / f"{index:03}.npy", np.clip(rng.uniform(-0.5, 0.5, width) + steps, -1, 1).astype(np.float32))
    return target


def _cells(row: Row) -> tuple[str, ...]:
    ours = (
        "converts"
        if row.converts
        else "rightly refused"
        if row.refused_rightly
        else "fails"
        if row.loads
        else "does not load"
    )
    how = f"{row.plan}, {row.precision}" if row.converts else ""
    agreement = "" if row.agreement is None else f"{row.agreement:.1%}"
    return (
        row.model,
        row.keras,
        row.stock,
        ours,
        how,
        agreement,
        f"{row.seconds:.0f}",
        row.reason[:160].replace("|", "/"),
    )


def _line(row: Row) -> str:
    return "  ".join(each for each in _cells(row) if each)


def _totals(rows: Sequence[Row]) -> dict[str, Any]:
    held = [row for row in rows if not row.refused_rightly]
    return {
        "files": len(rows),
        "with_a_model": len(held),
        "stock_converts": sum(row.stock_converts for row in held),
        "stock_dies": sum("dies" in row.stock for row in held),
        "ours_converts": sum(row.converts for row in held),
        "ours_agrees": sum(row.converts and (row.agreement or 0.0) >= 0.98 for row in held),
        "rightly_refused": len(rows) - len(held),
    }


def _summary(rows: Sequence[Row]) -> str:
    totals = _totals(rows)
    return (
        f"{totals['ours_converts']} of {totals['with_a_model']} files with a model convert, {totals['ours_agrees']} with at least 98 % agreement; "
        f"by the stock route {totals['stock_converts']}, and {totals['stock_dies']} end its process. "
        f"{totals['rightly_refused']} of {totals['files']} are rightly refused."
    )


if __name__ == "__main__":
    sys.exit(main())
