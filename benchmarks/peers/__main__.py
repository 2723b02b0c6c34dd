"""What does a decision cost in edgevid, and in each runtime that a user would pick instead?

    python -m benchmarks.peers [--fast] [--models NAME,...] [--folder DIR] [--here]

Every peer runs the same model on the same frames, on one core, in a fresh process of an environment of its own whose
packages are pinned in `benchmarks/peers/requirements`. Peers take turns in random order, and each is compared with the
edgevid of its precision in the same round. Weights are drawn from a seed: they do not change the time. Peers get frames
of the model's own size, so that no one pays for resizing. Files and environments are kept in `build/peers`.

Aims: ahead of every peer, and within 5 % of the bare interpreter on edgevid's own parts at 112x112.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import compare, files, page
from benchmarks.peers.catalog import EDGEVID, EDGEVID_FLOAT, ENGINE, FLOOR, PEERS, Peer
from benchmarks.peers.chores import reason_against
from benchmarks.peers.environments import Environments
from benchmarks.peers.models import OVER_FRAMES, OVER_SIZE, SUBJECTS, Subject
from benchmarks.peers.rounds import Limits, measure
from benchmarks.writing.results_file import RESULTS, write

ROOT = Path(__file__).resolve().parents[2]
FAST = Limits(rounds=3, slow_rounds=1, seconds=0.3)
_EVERY = {subject.name: subject for subject in (*SUBJECTS, *OVER_FRAMES, *OVER_SIZE)}
# Peers whose growth is drawn.
_DRAWN = (
    EDGEVID,
    EDGEVID_FLOAT,
    "TFLite, feature cache by hand, float",
    "TFLite, whole window, int8",
    "TFLite, whole window, float",
    "ONNX Runtime, whole window, float",
    "OpenVINO, whole window, float",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing, measure, and write the results."""
    args = _parser().parse_args(arguments)
    environments = Environments(args.folder / "env", here=args.here)
    limits = FAST if args.fast else Limits()
    peers = [peer for peer in PEERS if _is_wanted(peer, args)]
    subjects = args.models or (SUBJECTS[:1] if args.fast else SUBJECTS)
    models = {
        subject.title: _of(subject, peers, args.folder, environments, limits, onnx=not (args.fast or args.no_onnx))
        for subject in subjects
    }
    samples = {
        f"{title}: {name}": samples
        for title, model in models.items()
        for name, samples in model.pop("wall_us_of_each_round").items()
    }
    path = write(
        "peers",
        question=(__doc__ or "").splitlines()[0],
        numbers={"models": models, "page": page.text(models)},
        samples=samples,
        threads=1,
        folder=args.results,
    )
    print(f"{page.text(models)}\n\nWrote {path}")
    return 0


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
    parser.add_argument("--models", type=_subjects, metavar="NAME,...", help=f"of {', '.join(_EVERY)}")
    parser.add_argument("--peers", type=lambda text: text.split(";"), metavar="NAME;...", help="names as in the table")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "peers", metavar="DIR", help="default: build/peers"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="folder of the results file")
    parser.add_argument(
        "--here", action="store_true", help="run every peer in this environment, those that it lacks not at all"
    )
    parser.add_argument("--no-onnx", action="store_true", help="make no ONNX files")
    return parser


def _subjects(text: str) -> list[Subject]:
    unknown = [name for name in text.split(",") if name not in _EVERY]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"Expected models of {', '.join(_EVERY)}, got {', '.join(unknown)}. Name them with commas between."
        )
    return [_EVERY[name] for name in text.split(",")]


def _of(
    subject: Subject, peers: Sequence[Peer], folder: Path, environments: Environments, limits: Limits, *, onnx: bool
) -> dict[str, Any]:
    """Return the numbers of one model."""
    print(f"== {subject.title}", file=sys.stderr)
    own = folder / "models" / subject.name
    files.make(subject, own, environments=environments, root=ROOT, onnx=onnx)
    if reason := reason_against(own / "model.h5"):
        raise SystemExit(f"Expected the model {subject.name} to be built, got {reason}. Install the convert extra.")
    environments.make({peer.environment for peer in peers})
    found = measure(peers, own, window=subject.frames, environments=environments, limits=limits, root=ROOT)
    reference = np.load(own / "reference.npy").tolist()
    rows = compare.numbers(found, peers, reference)
    result = {
        "frames": subject.frames, "size": subject.size, "weights": "drawn, seed 0", "windows": len(reference),
        "peers": rows, "notes": files.notes(own), "edgevid_precision": files.precision(own),
        "wall_us_of_each_round": {name: list(runs.wall_us.values()) for name, runs in found.items() if runs.wall_us},
    }  # fmt: skip
    if all("times" in rows.get(name, {}) for name in (ENGINE, FLOOR)):
        # Both were measured in the same rounds.
        ratios = [found[ENGINE].wall_us[each] / found[FLOOR].wall_us[each] for each in found[FLOOR].wall_us]
        middle, low, high = compare.interval(ratios)
        result["engine_over_floor"] = {"times": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}
    return result


if __name__ == "__main__":
    sys.exit(main())
