"""What does a decision cost in edgevid, and in each runtime that a user would pick instead?

    python -m benchmarks.peers [--fast] [--add] [--models NAME,...] [--trained MODEL.h5 --clips DIR]

Every peer runs the same model on the same frames, on one core, in a fresh process of an environment of its own whose
packages are pinned in `benchmarks/peers/requirements`. Peers take turns in random order. Each is compared with the
edgevid of its precision in the same round, by the processor's time. Weights are drawn from a seed: they do not change
the time. Peers get frames of the model's own size, so that no one pays for resizing. Files and environments are kept in
`build/peers`.

Aims: ahead of every peer, and within 5 % of the bare interpreter on edgevid's own parts at 112x112.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import compare, files, growth, page
from benchmarks.peers.catalog import EDGEVID, ENGINE, PEERS, Peer
from benchmarks.peers.chores import reason_against
from benchmarks.peers.environments import Environments
from benchmarks.peers.models import OVER_FRAMES, OVER_SIZE, SUBJECTS, Subject, trained
from benchmarks.peers.rounds import Limits, Runs, measure
from benchmarks.writing.results_file import RESULTS, environment, write

ROOT = Path(__file__).resolve().parents[2]
FAST = Limits(rounds=3, slow_rounds=1, seconds=0.3)
_EVERY = {subject.name: subject for subject in (*SUBJECTS, *OVER_FRAMES, *OVER_SIZE)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing, measure, and write the results."""
    args = _parser().parse_args(arguments)
    bench = Bench(args.folder, Environments(args.folder / "env", here=args.here), FAST if args.fast else Limits())
    peers = [peer for peer in PEERS if _is_wanted(peer, args)]
    models, samples = _kept(args.results) if args.add else ({}, {})

    def written(**more: Any) -> tuple[dict[str, Any], Path]:
        numbers = {"models": models, "page": page.text(models), **more}
        question = (__doc__ or "").splitlines()[0]
        return numbers, write(
            "peers", question=question, numbers=numbers, samples=samples, threads=1, folder=args.results
        )

    for subject in _chosen(args):
        models[subject.title], runs = bench.numbers(subject, peers)
        samples |= {f"{subject.title}: {name}": list(each.cpu_us.values()) for name, each in runs.items()}
        # A run takes hours, and what is measured should outlive it.
        numbers, path = written()
    if args.growth:
        short = Bench(args.folder, bench.environments, FAST)
        growing = growth.measure(short.run)
        growth.draw(growing, args.growth)
        numbers, path = written(growth=growing)
    print(f"{numbers['page']}\n\nWrote {path}")
    return 0


@dataclass(frozen=True)
class Bench:
    """Where files are kept, what runs them, and how long.

    Attributes:
        folder: Folder of the models.
        environments: The interpreters.
        limits: How long.
    """

    folder: Path
    environments: Environments
    limits: Limits

    def run(self, subject: Subject, peers: Sequence[Peer]) -> dict[str, Runs]:
        """Make what the peers need for a model, and measure them.

        Raises:
            SystemExit: The model cannot be built.
        """
        print(f"== {subject.title}", file=sys.stderr)
        own = self.folder / "models" / subject.name
        files.make(subject, own, peers=peers, environments=self.environments, root=ROOT)
        if reason := reason_against(own / "model.h5"):
            raise SystemExit(f"Expected the model {subject.name} to be built, got {reason}. Install the convert extra.")
        # Installing one takes minutes, which no process of a round should wait for.
        self.environments.make({peer.environment for peer in peers})
        return measure(
            peers,
            own,
            window=subject.frames,
            environments=self.environments,
            limits=self.limits,
            root=ROOT,
            color=subject.color,
        )

    def numbers(self, subject: Subject, peers: Sequence[Peer]) -> tuple[dict[str, Any], dict[str, Runs]]:
        """Return what the results file holds of a model, and the reports."""
        found = self.run(subject, peers)
        own = self.folder / "models" / subject.name
        reference = np.load(own / "reference.npy").tolist()
        result = {
            "frames": subject.frames,
            "size": subject.size,
            "weights": subject.weights,
            "windows": len(reference),
            "edgevid_precision": files.precision(own),
            "peers": compare.numbers(found, peers, reference),
            "notes": files.notes(own),
            "commit": (around := environment())["commit"],
            "load_1min": around["load_1min"],
        }
        for name in (EDGEVID, ENGINE):
            if over := compare.over_floor(found, name):
                result[f"{'api' if name == EDGEVID else 'engine'}_over_floor"] = over
        return result, found


def _kept(folder: Path) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Return the models and samples of the results file; none if there is no file."""
    path = folder / "peers.json"
    if not path.exists():
        return {}, {}
    found = json.loads(path.read_text())
    session = {name: found["environment"][name] for name in ("commit", "load_1min")}
    return {title: session | model for title, model in found["numbers"]["models"].items()}, found["samples"]


def _chosen(args: argparse.Namespace) -> list[Subject]:
    """Return the models to measure; a trained one takes the place of the drawn one with its window."""
    given = [trained(path, str(args.clips.resolve()) if args.clips else "") for path in args.trained]
    subjects = list(args.models or (SUBJECTS[:1] if args.fast else SUBJECTS))
    replaced = {(each.frames, each.size) for each in given}
    return [*given, *(each for each in subjects if each.head != "lstm" or (each.frames, each.size) not in replaced)]


def _is_wanted(peer: Peer, args: argparse.Namespace) -> bool:
    if args.peers:
        return peer.name in args.peers
    # The other environments are gigabytes to install.
    return not args.fast or peer.environment in ("edgevid", "litert")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fast", action="store_true", help="one model, three rounds, edgevid and TFLite only")
    parser.add_argument(
        "--add", action="store_true", help="keep the numbers of other models that the results file holds"
    )
    parser.add_argument("--models", type=_subjects, metavar="NAME,...", help=f"of {', '.join(_EVERY)}")
    parser.add_argument(
        "--trained", type=Path, action="append", default=[], metavar="MODEL", help="a trained LRCN (.h5), repeatable"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="clips of the trained LRCNs; else rendered ones")
    parser.add_argument("--peers", type=lambda text: text.split(";"), metavar="NAME;...", help="names as in the table")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "peers", metavar="DIR", help="default: build/peers"
    )
    parser.add_argument("--growth", type=Path, metavar="SVG", help="measure over windows and sizes as well, and draw")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="folder of the results file")
    parser.add_argument(
        "--here", action="store_true", help="run every peer in this environment, those that it lacks not at all"
    )
    return parser


def _subjects(text: str) -> list[Subject]:
    unknown = [name for name in text.split(",") if name not in _EVERY]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"Expected models of {', '.join(_EVERY)}, got {', '.join(unknown)}. Name them with commas between."
        )
    return [_EVERY[name] for name in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
