"""Train a classifier on a folder of clips, and write a Keras model.

CLIPS contains one folder per class, <class>/<clip>; a clip is a video or a
folder of pictures. Or it is a CSV file with the columns path and label, and
optionally start_s and end_s (a segment of a recording), group, and split.
With --background, the seconds that no segment covers become clips of that class.
Or it is a list of UCF-101 (trainlist01.txt), HMDB-51 (the folder of lists),
Kinetics, Jester or Something-Something; --videos is the folder of the videos.

CLIPS may hold rows of features in place of pictures, such as the key points that
'edgevid keypoints' writes: <class>/<clip>.npy of (frames, numbers), or
<class>/<clip>/<frame>.npy, one row a file. A head learns from them without an
encoder, as with a pretrained one, and --interval is the time between two rows of a
window.

With few clips, learn on a pretrained encoder: --encoder efficientnet-lite0.
Each clip is encoded once, and its features are kept, which makes a second run fast.
Clips are held out in turn (--folds), whole groups of them with --group-by, and
the answers to them are printed. The model that is written learns from all clips.

The small encoder of the default learns from scratch, which takes hundreds of
clips. A part of them is held out once; training ends when the model no longer
improves on it, and its metrics are printed. A list that states its split (test
or val) is taken at its word, with either encoder.

With --fine-tune, the last blocks of the encoder are trained too, after the head; the
gain over the frozen encoder is printed. With the variable TF_CONFIG, the workers that
it names share a training of the small encoder.

With --mine, a head on a frozen encoder watches long recordings. Its worst false
alarms become clips of --background, and it is fitted anew, a few times. It says how
many false alarms an hour there were.

With --teacher, the small encoder also learns the answers of a larger model of this
command, such as a frozen encoder with a head, and with --unlabelled on clips without labels.

--report writes a page: the answers to held-out clips by group and by class, the
worst clips as pictures, and what more clips of each class might bring.

The model file contains labels, sampling and colour, so that 'edgevid convert'
needs no options for them.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands.options import options_from
from convert.commands.train_options import add_all
from convert.training.options import SMALL
from edgevid.errors import ClipsError, UsageError

if TYPE_CHECKING:
    from convert.clips import ClipSet
    from convert.training.fit import TrainedModel
    from convert.training.fitting.workers import Workers
    from convert.training.options import TrainOptions

EXAMPLES = """examples:
  edgevid train clips --check --group-by subject
  edgevid train clips -o actions.keras --encoder efficientnet-lite0 --group-by subject
  edgevid train clips -o actions.keras --encoder efficientnet-lite0@128 --head gru --folds groups --group-by subject
  edgevid train clips -o actions.keras --encoder efficientnet-lite0 --group-by subject --report training.html
  edgevid train clips -o actions.keras --encoder efficientnet-lite0 --group-by subject --fine-tune 2 --workers 4
  edgevid train clips -o gestures.keras --background none
  edgevid train rows -o pose.keras --interval 0.1 --group-by subject
  edgevid train days.csv -o actions.keras --videos recordings --background none --encoder efficientnet-lite0 \
      --mine recordings --mine-rounds 3
  edgevid train clips -o actions.keras --group-by subject --pool columns --flip all --color gray --interval 0.08
  edgevid train trainlist01.txt -o actions.keras --videos UCF-101
  edgevid train days.csv -o gestures.keras --videos recordings --background none
  edgevid train clips -o small.keras --teacher actions.keras --unlabelled recordings
  edgevid train clips -o gestures.keras --flip wave,swipe_left=swipe_right --tensorboard logs"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="folder of clips, or a list of clips")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.keras", help="the model to write")
    parser.add_argument(
        "--check",
        action="store_true",
        help="read every clip, print a table of what training would find, and train nothing; the exit code is 0 if "
        "the clips can be trained on",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as one JSON object, with the answers to each clip"
    )
    add_all(parser)


def run(args: argparse.Namespace) -> int:
    """Train and write the model, and print the metrics on the held-out clips.

    Raises:
        UsageError: An option is not legal.
        ClipsError: No classifier can be trained on the clips.
    """
    from convert import Terminal, TrainOptions
    from convert.clips.kinds import kind_of
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.training.console import EpochsBar, notes_text, short_text, skipped_text

    # Rejects illegal options before TensorFlow, which takes seconds to import.
    options = options_from(args, TrainOptions)
    if args.check:
        UsageError.unless(options.mine is None, expected="no --mine with --check, which reads clips", got=options.mine)
        UsageError.unless(
            options.teacher is None, expected="no --teacher with --check, which trains nothing", got=options.teacher
        )
        return _check(args, options)
    options = options.for_kind(kind_of(args.clips, videos=options.videos))
    UsageError.unless(args.output is not None, expected="-o FILE.keras", found="neither that nor --check")
    workers = _connect(options)
    import_tensorflow()
    from convert import train

    started = time.perf_counter()
    with EpochsBar() as bar:

        def announce(clips: ClipSet) -> None:
            sys.stderr.write(notes_text(clips.notes) + skipped_text(clips) + short_text(clips, options.window))
            if options.encoder == SMALL and not options.folds:
                bar.start()

        trained = train(
            args.clips,
            args.output,
            options=options,
            progress=Terminal(),
            on_clips=announce,
            on_epoch=bar,
            command=shlex.join(["edgevid", *sys.argv[1:]]),
        )
    if workers is not None and not workers.is_chief:
        sys.stderr.write(f"Trained as worker {workers.index} of {workers.count}; worker 0 has written the files.\n")
        return 0
    seconds = time.perf_counter() - started
    sys.stdout.write(_json(trained, seconds) if args.json else _text(trained))
    page = "" if args.report is None else f" and {args.report}"
    sys.stderr.write(f"Wrote {args.output}{page}: {_summary(trained)}, {seconds:.0f} s.\n")
    return 0


def _connect(options: TrainOptions) -> Workers | None:
    """Connect the workers of `TF_CONFIG`, which has to be done before TensorFlow's first operation."""
    from convert.training.fitting.workers import connect_workers, stated_workers

    workers = stated_workers()
    if workers is not None and options.encoder == SMALL:
        sys.stderr.write(f"Worker {workers.index} of {workers.count}, waiting for the others.\n")
        sys.stderr.flush()
        connect_workers()
    return workers


def _check(args: argparse.Namespace, options: TrainOptions) -> int:
    """Print what training would find; raise the first problem as an error."""
    from convert.progress import Terminal
    from convert.training.survey import survey
    from convert.training.survey_text import survey_json, survey_text

    found = survey(args.clips, options, Terminal())
    text = json.dumps(survey_json(found, args.clips), indent=1) if args.json else survey_text(found)
    sys.stdout.write(f"{text}\n")
    if found.problems:
        raise ClipsError(found.problems[0])
    return 0


def _text(trained: TrainedModel) -> str:
    from convert.training.console import cross_validation_text, metrics_text, transfer_text

    texts = [
        "" if trained.evaluation is None else metrics_text(trained.evaluation),
        "" if trained.cross_validation is None else cross_validation_text(trained.cross_validation),
        "" if trained.transfer is None else transfer_text(trained.transfer),
    ]
    return "".join(f"{text}\n\n" for text in texts if text).rstrip("\n") + "\n" if any(texts) else ""


def _json(trained: TrainedModel, seconds: float) -> str:
    from convert.training.train_report import report

    return json.dumps(report(trained, seconds=seconds), indent=1) + "\n"


def _summary(trained: TrainedModel) -> str:
    weights = f"{trained.model.count_params()} weights"
    return f"{weights}, {len(trained.history)} epochs" if trained.history else weights
