"""Run every step of edgevid on rendered gestures, and write a report.

The demo renders video files, trains a model on them, converts and proves it,
and runs it on a video that it has not seen. It ends with the timeline of events
next to the truth, the precision and recall of the events, and the latency of
each stage. Clips, model and bundle of an earlier run are used again if their
inputs are the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convert.demo.cached import once
from convert.demo.dataset import MARKER, Dataset, DatasetSpec, write_dataset
from convert.progress import Progress, Terminal
from edgevid.errors import EdgevidError

if TYPE_CHECKING:
    from convert.demo.demo_run import DemoRun
    from edgevid.bundle import Bundle

EPOCHS = 25
BUNDLE = "gestures.edgevid"


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run the demo.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="python -m convert.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("build/demo"),
        metavar="DIR",
        help="folder of clips, model, bundle and report (default: %(default)s)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes that render clips (default: one per core)",
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help="number of training epochs (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    try:
        return demo(args.dir, DatasetSpec(), epochs=args.epochs, processes=args.processes, progress=Terminal())
    except EdgevidError as error:
        sys.stderr.write(f"demo: {error}\n")
        return error.exit_code


def demo(folder: Path, spec: DatasetSpec, *, epochs: int, processes: int, progress: Progress) -> int:
    """Run every step of the demo.

    Args:
        folder: Folder of clips, model, bundle and report.
        spec: The clips to render.
        epochs: Number of training epochs.
        processes: Number of processes that render clips.
        progress: Shows each step.

    Returns:
        0.
    """
    dataset = write_dataset(folder / "clips", spec, progress, processes=processes)
    model = _train(dataset, folder / "gestures.keras", epochs, progress)
    path = _convert(dataset, model, folder / BUNDLE, progress)

    from convert.demo.demo_run import watch_stream
    from edgevid import bundle

    converted = bundle.read(path)
    progress.step(f"running on {dataset.stream}")
    result = watch_stream(converted, dataset)
    page, video = _report(converted, result, dataset, folder, progress)
    sys.stdout.write(_text(result))
    sys.stdout.write(f"\nBundle    {path}  ({path.stat().st_size} bytes)\nReport    {page}\nVideo     {video}\n")
    return 0


def _train(dataset: Dataset, out: Path, epochs: int, progress: Progress) -> Path:
    def make(path: Path) -> None:
        from convert.frameworks.tensorflow_setup import import_tensorflow

        # Sets TensorFlow up before `training` imports Keras.
        import_tensorflow()
        from convert.demo.training import train_gestures, train_options

        train_gestures(dataset, path, train_options(epochs=epochs), progress)

    source = Path(__file__).with_name("training.py")
    return once(out, [str(epochs).encode(), (dataset.root / MARKER).read_bytes(), source.read_bytes()], make, progress)


def _convert(dataset: Dataset, model: Path, out: Path, progress: Progress) -> Path:
    import convert.reporting

    def make(path: Path) -> None:
        from convert import convert_model

        convert_model(model, dataset.root / "test", path, progress=progress, command="python -m convert.demo")

    # The page shows the report inside the bundle, so a change of its format makes a new bundle.
    sources = sorted(Path(str(convert.reporting.__file__)).parent.glob("*.py"))
    inputs = [(dataset.root / MARKER).read_bytes(), model.read_bytes(), *(each.read_bytes() for each in sources)]
    return once(out, inputs, make, progress)


def _report(
    converted: Bundle, result: DemoRun, dataset: Dataset, folder: Path, progress: Progress
) -> tuple[Path, Path]:
    """Write the page and the annotated video, and return their paths."""
    from convert.demo.annotated_video import annotate
    from convert.demo.demo_run import clip_strips
    from convert.demo.sections import sections
    from convert.reporting.page import write_html

    page, video = folder / "report.html", folder / "annotated.mp4"
    evaluation, strips = clip_strips(converted, dataset.root / "test", progress)
    progress.step(f"writing {video} and {page}")
    annotate(
        dataset.stream,
        video,
        labels=converted.manifest.labels,
        decisions=result.seen.decisions,
        events=result.seen.events,
    )
    size = (folder / BUNDLE).stat().st_size
    extra = sections(converted, result, dataset, evaluation=evaluation, strips=strips, video=video)
    write_html(converted.report, page, title="Gestures: from clips to events", bundle_bytes=size, sections=extra)
    return page, video


def _text(result: DemoRun) -> str:
    from edgevid.events.timeline import as_table, summary

    score = summary(result.score, duration_s=result.duration_s)
    blocks = [as_table(result.score), score, f"{result.interpreter}\n{result.telemetry.as_table()}"]
    return "\n" + "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.exit(main())
