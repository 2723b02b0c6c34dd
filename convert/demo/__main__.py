"""Render gestures as video files, train on them, convert and prove the model, watch an unseen video with it, and leave a report.

The last lines printed are the timeline of events beside the truth, event precision and recall, and the latency of each stage. What is there
from an earlier run, made from the same inputs, is used again.
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
    from convert.demo.watch import DemoRun
    from edgevid.bundle import Bundle

EPOCHS = 25
BUNDLE = "gestures.edgevid"


def main(argv: list[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: Arguments; those of the process where None.

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
        help="where to work and leave the results (default: %(default)s)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="renderers side by side (default: one a core)",
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help="passes over the training clips (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    try:
        return demo(args.dir, DatasetSpec(), epochs=args.epochs, processes=args.processes, progress=Terminal())
    except EdgevidError as error:
        sys.stderr.write(f"demo: {error}\n")
        return error.exit_code


def demo(folder: Path, spec: DatasetSpec, *, epochs: int, processes: int, progress: Progress) -> int:
    """Go the whole way.

    Args:
        folder: Where to work and leave the results.
        spec: Clips to render.
        epochs: Passes over the training clips.
        processes: Renderers side by side.
        progress: Told of each step.

    Returns:
        0.
    """
    dataset = write_dataset(folder / "clips", spec, progress, processes=processes)
    model = _train(dataset, folder / "gestures.keras", epochs, progress)
    path = _convert(dataset, model, folder / BUNDLE, progress)

    from convert.demo.watch import watch_stream
    from edgevid import bundle

    made = bundle.read(path)
    progress.step(f"watching {dataset.stream}")
    watched = watch_stream(made, dataset)
    page, video = _report(made, watched, dataset, folder, progress)
    sys.stdout.write(_text(watched))
    sys.stdout.write(f"\nBundle    {path}  ({path.stat().st_size} bytes)\nReport    {page}\nVideo     {video}\n")
    return 0


def _train(dataset: Dataset, out: Path, epochs: int, progress: Progress) -> Path:
    def make(path: Path) -> None:
        from convert.frameworks.tensorflow_setup import import_tensorflow

        import_tensorflow()
        from convert.demo.recipe import train_gestures, train_options

        train_gestures(dataset, path, train_options(epochs=epochs), progress)

    recipe = Path(__file__).with_name("recipe.py")
    return once(out, [str(epochs).encode(), (dataset.root / MARKER).read_bytes(), recipe.read_bytes()], make, progress)


def _convert(dataset: Dataset, model: Path, out: Path, progress: Progress) -> Path:
    from convert.reporting import report

    def make(path: Path) -> None:
        from convert import convert_model

        convert_model(model, dataset.root / "test", path, progress=progress, command="python -m convert.demo")

    # A bundle's report is what the page shows, so one that was recorded otherwise is no use.
    record = Path(str(report.__file__))
    return once(out, [(dataset.root / MARKER).read_bytes(), model.read_bytes(), record.read_bytes()], make, progress)


def _report(made: Bundle, watched: DemoRun, dataset: Dataset, folder: Path, progress: Progress) -> tuple[Path, Path]:
    from convert.demo.sections import sections
    from convert.demo.video import annotate
    from convert.demo.watch import clip_strips
    from convert.reporting.page import write_html

    page, video = folder / "report.html", folder / "annotated.mp4"
    evaluation, strips = clip_strips(made, dataset.root / "test", progress)
    progress.step(f"writing {video} and {page}")
    annotate(
        dataset.stream, video, labels=made.manifest.labels, decisions=watched.seen.decisions, events=watched.seen.events
    )
    size = (folder / BUNDLE).stat().st_size
    shown = sections(made, watched, dataset, evaluation=evaluation, strips=strips, video=video)
    write_html(made.report, page, title="Gestures: from clips to events", bundle_bytes=size, sections=shown)
    return page, video


def _text(watched: DemoRun) -> str:
    from edgevid.events.timeline import as_table, summary

    return f"\n{as_table(watched.score)}\n\n{summary(watched.score)}\n\n{watched.interpreter}\n{watched.telemetry.as_table()}\n"


if __name__ == "__main__":
    sys.exit(main())
