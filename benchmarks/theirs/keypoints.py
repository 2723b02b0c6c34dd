"""How far are our key points from those of MediaPipe's own Python solutions?

    python -m benchmarks.theirs.keypoints --mediapipe PYTHON [--most N] CLIP ...

PYTHON is the interpreter of an environment with mediapipe 0.10.18. Both sides get the same decoded
pictures, in order. A distance is that of a point in the picture, as a share of the diagonal of the
box around its group (a body, a hand, a face). Points of a body count as seen from a visibility of
one half on.

A follower sees its own last answer, so the least difference grows. To tell ours from that,
MediaPipe is also compared with itself on pictures with noise of one gray level.

Goals: the median is within half a percent, and both see the same groups at least as often as
MediaPipe does with that noise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.writing.results_file import summary, table, write
from edgevid.capture.video_files import VideoFile
from edgevid.frames import Array, Frame, Pixels
from edgevid.frames.keypoint_rows import KeypointRows, Keypoints
from edgevid.keypoints.stage import KeypointStage
from edgevid.units import NS_PER_MS

LENGTHS: Mapping[Keypoints, int] = {"pose": 132, "hands": 126, "holistic": 1662}
# Groups of points in a row: first number, points, numbers of a point.
GROUPS: Mapping[Keypoints, Mapping[str, tuple[int, int, int]]] = {
    "pose": {"body": (0, 33, 4)},
    "hands": {"left hand": (0, 21, 3), "right hand": (63, 21, 3)},
    "holistic": {
        "body": (0, 33, 4),
        "face": (132, 468, 3),
        "left hand": (1536, 21, 3),
        "right hand": (1599, 21, 3),
    },
}
_THEIRS = Path(__file__).parent / "mediapipe_rows.py"
_MEDIAN_SHARE = 0.005


def main() -> int:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--mediapipe", required=True, metavar="PYTHON", help="Python of its environment")
    parser.add_argument("--most", type=int, default=120, metavar="N", help="pictures of a clip (default: 120)")
    args = parser.parse_args()
    kinds = {}
    for kind in LENGTHS:
        compared = [_compare(clip, kind, args.mediapipe, args.most) for clip in args.clips]
        kinds[kind] = _summary(compared)
        _show(kind, kinds[kind])
    write("keypoints", question=str(__doc__).partition("\n")[0], numbers={"clips": len(args.clips), "kinds": kinds})
    groups = [group for kind in kinds.values() for group in kind["groups"].values()]
    return 0 if all(g["same"] >= g["noise_same"] and g["ours"]["p50"] <= _MEDIAN_SHARE for g in groups) else 1


def _compare(clip: Path, kind: Keypoints, python: str, most: int) -> dict[str, Any]:
    """Return the distances in one clip, and the time of each network."""
    pictures = _pictures(clip, most)
    noise = np.random.default_rng(1).integers(-1, 2, pictures.shape, dtype=np.int8)
    noisy = np.clip(pictures.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    theirs, shaken = (_theirs(each, kind, python) for each in (pictures, noisy))
    ours, networks = _ours(pictures, kind)
    size_px = np.array(pictures.shape[2:0:-1])
    return {
        "networks": networks,
        "groups": {
            name: {
                "ours": _distances(ours, theirs, place, size_px),
                "noise": _distances(shaken, theirs, place, size_px),
                "first": _distances(ours[:1], theirs[:1], place, size_px),
                "same": _seen(ours, place) == _seen(theirs, place),
                "noise_same": _seen(shaken, place) == _seen(theirs, place),
            }
            for name, place in GROUPS[kind].items()
        },
    }


def _pictures(clip: Path, most: int) -> Pixels:
    with VideoFile(clip) as source:
        frames = [frame.data[:, :, ::-1].copy() for frame, _ in zip(source.frames(), range(most), strict=False)]
    return np.stack(frames)


def _theirs(pictures: Pixels, kind: str, python: str) -> Array:
    with tempfile.TemporaryDirectory() as name:
        given, out = Path(name) / "pictures.npy", Path(name) / "rows.npy"
        np.save(given, pictures)
        subprocess.run([python, str(_THEIRS), str(given), kind, str(out)], check=True, stderr=subprocess.DEVNULL)
        return np.load(out)


def _ours(pictures: Pixels, kind: Keypoints) -> tuple[Array, dict[str, Any]]:
    stage = KeypointStage(KeypointRows(kind=kind), LENGTHS[kind])
    rows = np.zeros((len(pictures), LENGTHS[kind]), np.float32)
    for index, picture in enumerate(pictures):
        stage.write(Frame(picture, "rgb", index, index), rows[index])
    networks = stage.open().networks
    return rows, {
        name: (each.times.newest(0, each.times.capacity) / NS_PER_MS).tolist() for name, each in networks.items()
    }


def _seen(rows: Array, place: tuple[int, int, int]) -> Array:
    first, points, numbers = place
    return rows[:, first : first + points * numbers].any(axis=1)


def _distances(rows: Array, others: Array, place: tuple[int, int, int], size_px: Array) -> Array:
    """Return the distance of each point that both sides see, as a share of its group's diagonal."""
    first, points, numbers = place
    both = _seen(rows, place) & _seen(others, place)
    mine, theirs = (
        each[both, first : first + points * numbers].reshape(-1, points, numbers).astype(np.float64)
        for each in (rows, others)
    )
    places_px = theirs[:, :, :2] * size_px
    diagonal_px = np.linalg.norm(np.ptp(places_px, axis=1), axis=1, keepdims=True)
    share = np.linalg.norm(mine[:, :, :2] * size_px - places_px, axis=2) / diagonal_px
    return share[theirs[:, :, 3] >= 0.5] if numbers == 4 else share.ravel()


def _summary(compared: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    groups = {}
    for name in compared[0]["groups"]:
        joined = {
            key: np.concatenate([each["groups"][name][key] for each in compared])
            for key in ("ours", "noise", "first", "same", "noise_same")
        }
        shares = {key: summary(joined[key], digits=5) for key in ("ours", "noise", "first") if len(joined[key])}
        same = {key: round(float(joined[key].mean()), 4) for key in ("same", "noise_same")}
        groups[name] = {**shares, "pictures": len(joined["same"]), **same}
    names = compared[0]["networks"]
    times = {name: [ms for each in compared for ms in each["networks"][name]] for name in names}
    return {"groups": groups, "networks_ms": {name: summary(each, digits=2) for name, each in times.items() if each}}


def _show(kind: str, numbers: Mapping[str, Any]) -> None:
    rows: list[tuple[object, ...]] = [(kind, "pictures", "same", "p50", "p95", "max", "noise same", "p50", "p95")]
    for name, each in numbers["groups"].items():
        ours, noise = each["ours"], each["noise"]
        shares = [ours["p50"], ours["p95"], ours["max"], each["noise_same"], noise["p50"], noise["p95"]]
        rows.append((name, each["pictures"], each["same"], *shares))
    print(table(rows))
    times = [(name, each["count"], each["p50"]) for name, each in numbers["networks_ms"].items()]
    print(table([("network", "runs", "p50 ms"), *times]))


if __name__ == "__main__":
    sys.exit(main())
