"""Which trained models convert, by the stock route and by ours?

    python benchmarks/compat.py DIR... --clips DIR [--per-class 18] [--timeout 900] [--only TEXT] [--results NAME]

Every model file in the folders (`.h5`, `.hdf5`, `.keras`, `.onnx`, `.tflite`, SavedModel folders) is
converted twice, each time in a process of its own:

- stock: `keras.models.load_model` and `TFLiteConverter.from_keras_model`, int8 with builtins only,
  as the documentation of TensorFlow shows.
- ours: `convert_model` with its defaults, on BGR frames evenly spaced over each clip, as the usual
  tutorials train. A file converts if a bundle is written, which requires the trained model's answer
  on 98 % of the clips. There are no clips for models over features; they get random walks. Their
  agreement shows that the numbers are preserved, but not that real gestures are.

A file without a model (weights only), or one that runs code, is rejected correctly. The results
count it as rejected, with the reason. Goal: 95 % of the public
files that contain a model.
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
from typing import TYPE_CHECKING, Any

import numpy as np
from writing.results_file import table, write

if TYPE_CHECKING:
    from edgevid.frames import Color

SUFFIXES = (".h5", ".hdf5", ".keras", ".onnx", ".tflite")
# TensorFlow's own converter takes neither.
NOT_FOR_STOCK = (".onnx", ".tflite")
HEADING = ("model", "Keras", "stock route, int8", "ours", "plan, precision", "agreement", "s", "reason")
AGREEMENT_GOAL = 0.98
# Parts of the messages that reject a file for what it is, not for what the converter lacks. A test
# checks that each is still in a message.
CORRECT_REJECTIONS = (
    "weights only",
    "without code",
    "Flex",
    "Edge TPU",
    "--custom-objects",
    "no scores to decide by",
    "known input shape",
    "static trip count",
    "states in variables",
    "one input, the window",
    "no loss that shows its meaning",
    "steps, which are unrolled",
    "with a counterpart",
    "no such file",
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
    """The results of both routes for one file.

    Attributes:
        model: Path of the file in its folder.
        keras: Version of Keras that wrote the file.
        stock: Last stage of the stock route.
        stock_converts: Whether the stock route wrote a file.
        loads: Whether our route loaded the model.
        converts: Whether our route wrote a bundle.
        refused_rightly: Whether our route rejected the file correctly.
        agreement: Share of clips with the trained model's answer.
        plan: Plan of the bundle.
        precision: Precision of the bundle.
        seconds: Time of our route, with start-up.
        peak_mib: Largest memory of our route, without the process of TensorFlow's converter.
        reason: Why our route rejected the file.
        notes: Assumptions of our route.
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
    """Convert every file, print the table and write the results."""
    args = _arguments()
    if args.one:
        return _convert_here(Path(args.one), Path(args.work), args.clips, args.per_class)
    rows = []
    for root, path in _models(args.folders, args.only):
        rows.append(_by_both_routes(root, path, args))
        sys.stderr.write(f"{'  '.join(cell for cell in _cells(rows[-1]) if cell)}\n")
    lines = table([HEADING, *map(_cells, rows)])
    sys.stdout.write(f"{lines}\n\n{_summary(rows)}\n")
    results = args.results or ("" if args.only else "compat")
    if results:
        numbers = {"rows": [asdict(row) for row in rows], **_totals(rows), "table": lines}
        write(results, question=str(__doc__).splitlines()[0], numbers=numbers)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR", help="real clips, <class>/<clip>")
    parser.add_argument(
        "--per-class", type=int, default=18, metavar="N", help="number of clips of each class to use (default: 18)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=900.0,
        metavar="S",
        help="time limit for one file by one route (default: 900)",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="convert only files with this in their names, and write no results"
    )
    parser.add_argument(
        "--results", default="", metavar="NAME", help="name of the results (default: compat, and none with --only)"
    )
    # For the process that converts one file.
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


def _by_both_routes(root: Path, path: Path, args: argparse.Namespace) -> Row:
    stock, stock_converts = _by_stock_route(path, args.timeout)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgevid-compat-") as work:
        command = [sys.executable, __file__, "--one", str(path), "--work", work]
        command += ["--clips", str(args.clips), "--per-class", str(args.per_class)]
        code, output = _run_child(command, args.timeout)
        answer = _last_json(output) or {"reason": _failure(code, args.timeout)}
    reason = str(answer.get("reason", ""))
    return Row(
        model=str(path.relative_to(root)),
        keras=str(answer.get("keras", "")),
        stock=stock,
        stock_converts=stock_converts,
        loads=bool(answer.get("loads")),
        converts=bool(answer.get("converts")),
        refused_rightly=any(phrase in reason for phrase in CORRECT_REJECTIONS),
        agreement=answer.get("agreement"),
        plan=str(answer.get("plan", "")),
        precision=str(answer.get("precision", "")),
        seconds=round(time.monotonic() - started_s, 1),
        peak_mib=float(answer.get("peak_mib", 0.0)),
        # Without the folder, which differs between machines.
        reason=reason.replace(f"{path.parent}/", ""),
        notes=tuple(answer.get("notes", ())),
    )


def _by_stock_route(path: Path, timeout_s: float) -> tuple[str, bool]:
    """Return the last stage of the stock route, and whether it wrote a file."""
    if path.suffix in NOT_FOR_STOCK:
        return f"is a {path.suffix}", False
    code, output = _run_child([sys.executable, "-c", STOCK, str(path)], timeout_s)
    answer = _last_json(output)
    if answer is None:
        return _failure(code, timeout_s), False
    return ("converts" if answer["ok"] else f"fails to {answer['stage']}"), bool(answer["ok"])


def _run_child(command: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Run a process, and return its exit status and its output; the status is None after a timeout."""
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
        # The whole group: our route runs TensorFlow's converter in another process.
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return None, ""
    return child.returncode, output


def _last_json(output: str) -> dict[str, Any] | None:
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return None


def _failure(code: int | None, timeout_s: float) -> str:
    """Describe the end of a process that printed no answer."""
    if code is None:
        return f"not done in {timeout_s:.0f} s"
    return f"dies of {signal.Signals(-code).name}" if code < 0 else f"ends with status {code}"


def _convert_here(path: Path, work: Path, clips: Path, per_class: int) -> int:
    """Convert one file in this process, and print the result as one line of JSON."""
    from edgevid.errors import EdgevidError

    answer: dict[str, Any] = {"loads": False, "converts": False}
    try:
        window = _read_input(path)
        answer |= {"loads": True, "keras": window.written_by}
        answer |= _convert(path, window, work, clips, per_class)
    except EdgevidError as error:
        answer["reason"] = str(error)
    except Exception as error:  # noqa: BLE001  # any other error is a result too, and belongs in the table
        answer["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    answer["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0)
    print("\n" + json.dumps(answer))
    return 0


@dataclass(frozen=True)
class _Window:
    """The input of a model file.

    Attributes:
        frames: Number of frames in the window.
        frame: Shape of a frame, (H, W, C) or (F,).
        written_by: Version of Keras that wrote the file.
    """

    frames: int
    frame: tuple[int, ...]
    written_by: str


def _read_input(path: Path) -> _Window:
    """Load a model file and return its input."""
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.open_model import open_model
    from convert.options import Options
    from edgevid.backends.survey import is_tflite

    if is_tflite(path):
        with open_model(path, Options()) as opened:
            return _Window(opened.parts.frames, opened.parts.frame_shape, opened.trained.written_by)
    trained = load(path)
    frames, *frame = arrange(trained.model).graph.input_shape
    # An open size is converted as 1.
    return _Window(int(frames or 1), tuple(int(size or 1) for size in frame), trained.written_by)


def _convert(path: Path, window: _Window, work: Path, clips: Path, per_class: int) -> dict[str, Any]:
    """Convert a model file, and return the facts of its bundle."""
    from convert import Options, convert_model

    if len(window.frame) == 3:
        folder = _select_clips(clips, work / "clips", per_class)
        color: Color | None = "bgr" if window.frame[-1] == 3 else None
    else:
        folder, color = _random_walks(work / "walks", window.frames, window.frame[0]), None
    options = Options(interval="uniform", color=color)
    report = convert_model(path, folder, work / "out.edgevid", options=options).report
    return {
        "converts": True,
        "agreement": report["agreement"],
        "plan": report["plan"],
        "precision": "+".join(dict.fromkeys(report["precision"].values())),
        "notes": report["notes"],
    }


def _select_clips(clips: Path, target: Path, per_class: int) -> Path:
    """Link some clips of each class, evenly spread, into one folder."""
    from convert.clips import evenly_spread

    # Without class folders: the classes of these clips are not those of the models.
    target.mkdir()
    for folder in sorted(each for each in clips.iterdir() if each.is_dir()):
        files = sorted(each for each in folder.iterdir() if each.is_file())
        for index in evenly_spread(len(files), per_class):
            (target / f"{folder.name}-{files[index].name}").symlink_to(files[index].resolve())
    return target


def _random_walks(target: Path, frames: int, width: int, count: int = 60) -> Path:
    """Write smooth random walks within -1 to 1, which resemble normalised key points."""
    target.mkdir()
    for index in range(count):
        rng = np.random.default_rng(index)
        steps = rng.normal(0, 0.08, (frames + 8, width)).cumsum(axis=0)
        np.save(target / f"{index:03}.npy", np.clip(rng.uniform(-0.5, 0.5, width) + steps, -1, 1).astype(np.float32))
    return target


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.model,
        row.keras,
        row.stock,
        _verdict(row),
        f"{row.plan}, {row.precision}" if row.converts else "",
        "" if row.agreement is None else f"{row.agreement:.1%}",
        f"{row.seconds:.0f}",
        # A bar would end the cell.
        row.reason[:160].replace("|", "/"),
    )


def _verdict(row: Row) -> str:
    if row.converts:
        return "converts"
    if row.refused_rightly:
        return "rejected correctly"
    return "fails" if row.loads else "does not load"


def _totals(rows: Sequence[Row]) -> dict[str, Any]:
    with_model = [row for row in rows if not row.refused_rightly]
    return {
        "files": len(rows),
        "with_a_model": len(with_model),
        "stock_converts": sum(row.stock_converts for row in with_model),
        "stock_dies": sum("dies" in row.stock for row in with_model),
        "ours_converts": sum(row.converts for row in with_model),
        "ours_agrees": sum(row.converts and (row.agreement or 0.0) >= AGREEMENT_GOAL for row in with_model),
        "rightly_refused": len(rows) - len(with_model),
    }


def _summary(rows: Sequence[Row]) -> str:
    totals = _totals(rows)
    return (
        f"{totals['ours_converts']} of {totals['with_a_model']} files with a model convert, {totals['ours_agrees']} of "
        f"them with at least {AGREEMENT_GOAL:.0%} agreement. The stock route converts {totals['stock_converts']}, and "
        f"{totals['stock_dies']} end its process. {totals['rightly_refused']} of {totals['files']} are rejected "
        "correctly."
    )


if __name__ == "__main__":
    sys.exit(main())
