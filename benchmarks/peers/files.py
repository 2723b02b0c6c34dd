"""The files of one model for every peer, each made once and kept."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import Peer
from benchmarks.peers.chores import Chore, reason_file, run
from benchmarks.peers.environments import Environments
from benchmarks.peers.models import Subject
from edgevid import bundle as bundles

HERE = Path(__file__).resolve().parent
PARTS = ("whole", "encoder", "head")
PRECISIONS = ("float", "int8")
# Drawn weights have smaller margins than trained ones, so no budget would mean anything. An int8 encoder with a float
# head is what trained LRCNs keep their answers with (benchmarks/results/compat.json). `host` packs thin convolutions
# for the processor that measures.
_ANY_LOSS: Chore = {"plan": "auto", "max_drop": 100.0, "min_agreement": 0.0}
_BUNDLES: dict[str, Chore] = {
    "bundle": _ANY_LOSS | {"precision": "int8+float", "target": "host", "parts": "parts"},
    "any": _ANY_LOSS | {"precision": "int8+float", "target": "any", "parts": ""},
    "float": _ANY_LOSS | {"precision": "float32", "target": "any", "parts": "float_parts"},
}
_DEFAULTS: Chore = {"precision": "auto", "plan": "auto", "max_drop": 1.0, "min_agreement": 0.98, "target": "any"}


def make(subject: Subject, folder: Path, *, peers: Sequence[Peer], environments: Environments, root: Path) -> None:
    """Make all files of a model that peers need and that are missing, or the reason why one cannot be made.

    Args:
        subject: The model.
        folder: Folder of its files.
        peers: The peers.
        environments: The interpreters; ONNX files need the one of TensorFlow.
        root: Root of the repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program, wanted = HERE / "prepare.py", {name for peer in peers for name in peer.files.values()}
    run(sys.executable, program, [_model(subject, folder)], root=root)
    parts = [part for part in PARTS if (folder / "saved" / part).exists()]
    _write_reasons(folder, set(PARTS) - set(parts))
    each = [_tflite(folder, part, precision) for part in parts for precision in PRECISIONS]
    tflite = [chore for chore in each if Path(chore["out"]).name in wanted]
    run(sys.executable, program, tflite, root=root)
    run(sys.executable, program, _again_unrolled(folder, tflite), root=root)
    _convert(subject, folder, root, wanted)
    exported = [part for part in parts if {f"{part}_float.onnx", f"{part}_int8.onnx"} & wanted]
    quantised = [part for part in exported if f"{part}_int8.onnx" in wanted]
    run(sys.executable, program, [_examples(folder, part) for part in quantised], root=root)
    if exported and (python := environments.python("tensorflow")):
        run(python, HERE / "prepare_onnx.py", [_onnx(folder, part) for part in exported], root=root)
        run(python, HERE / "prepare_onnx.py", [_quantised(folder, part) for part in quantised], root=root)


def _model(subject: Subject, folder: Path) -> Chore:
    return {"kind": "model", "out": str(folder / "model.h5"), "subject": dataclasses.asdict(subject)}


def _write_reasons(folder: Path, missing: set[str]) -> None:
    """Note for each half that the model does not have why it cannot be cut."""
    for part in missing:
        for ending in ("float.tflite", "int8.tflite", "float.onnx", "int8.onnx"):
            reason_file(folder / f"{part}_{ending}").write_text("no layer of the model sees single frames\n")


def _tflite(folder: Path, part: str, precision: str) -> Chore:
    return _of_part(folder, part) | {
        "kind": "tflite", "out": str(folder / f"{part}_{precision}.tflite"), "precision": precision,
    }  # fmt: skip


def _of_part(folder: Path, part: str) -> dict[str, Any]:
    return {"part": part, "folder": str(folder), "saved": str(folder / "saved" / part)}


def _again_unrolled(folder: Path, chores: list[Chore]) -> list[Chore]:
    """Return those that failed, of the model without loops: what a user tries next."""
    again = []
    for chore in chores:
        out, unrolled = Path(chore["out"]), folder / "saved" / f"{chore['part']}_unrolled"
        if reason_file(out).exists() and unrolled.exists() and not _note(out).exists():
            _note(out).write_text(f"without unrolling: {reason_file(out).read_text()}")
            reason_file(out).unlink()
            again.append(chore | {"saved": str(unrolled)})
    return again


def _note(out: Path) -> Path:
    return out.with_name(f"{out.name}.note")


def _convert(subject: Subject, folder: Path, root: Path, wanted: set[str]) -> None:
    """Convert with edgevid; if the first precision is not to be had, with what `auto` takes."""
    program, first = HERE / "prepare.py", folder / "bundle.edgevid"
    # What trained weights keep is known: the default budget decides.
    budget = {"max_drop": 1.0, "min_agreement": 0.98, "precision": "auto"} if subject.source else {}
    chore: Chore = {"kind": "bundle", "subject": dataclasses.asdict(subject)}
    run(
        sys.executable, program,
        [
            chore | given | (budget if name != "float" else {}) | {"out": str(folder / f"{name}.edgevid")}
            for name, given in _BUNDLES.items()
            if {f"{name}.edgevid", given["parts"]} & wanted
        ],
        root=root,
    )  # fmt: skip
    if reason_file(first).exists() and not _note(first).exists():
        _note(first).write_text(f"as int8+float: {reason_file(first).read_text()}")
        reason_file(first).unlink()
        run(sys.executable, program, [chore | _DEFAULTS | {"out": str(first), "parts": "parts"}], root=root)


def notes(folder: Path) -> dict[str, str]:
    """Return what was tried before a file could be made, by the file's name."""
    return {path.name.removesuffix(".note"): path.read_text().strip() for path in sorted(folder.glob("*.note"))}


def precision(folder: Path) -> dict[str, str]:
    """Return the precision of each part of edgevid's bundle; empty if it could not be made."""
    path = folder / "bundle.edgevid"
    return {part.role: part.precision for part in bundles.read(path).manifest.parts} if path.exists() else {}


def _examples(folder: Path, part: str) -> Chore:
    return _of_part(folder, part) | {"kind": "examples", "out": str(folder / f"{part}_examples.npy")}


def _onnx(folder: Path, part: str) -> Chore:
    return _of_part(folder, part) | {"kind": "float", "out": str(folder / f"{part}_float.onnx")}


def _quantised(folder: Path, part: str) -> Chore:
    return {
        "kind": "int8",
        "out": str(folder / f"{part}_int8.onnx"),
        "source": str(folder / f"{part}_float.onnx"),
        "examples": str(folder / f"{part}_examples.npy"),
    }
