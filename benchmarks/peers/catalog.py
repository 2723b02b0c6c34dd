"""The peers: which program runs each, in which environment, on which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.chores import reason_against

EDGEVID, EDGEVID_FLOAT, ANY = "edgevid, int8", "edgevid, float", "edgevid, int8, packed for no processor"
ENGINE, FLOOR = "edgevid's engine alone, int8", "the bare interpreter on edgevid's parts, int8"
FLOAT_FLOOR = "the bare interpreter on edgevid's parts, float"
# What a peer of each precision is compared with.
REFERENCES: dict[str, str] = {"int8": EDGEVID, "float": EDGEVID_FLOAT}
# They are edgevid itself, in part.
OURS = (EDGEVID, EDGEVID_FLOAT, ANY, ENGINE, FLOOR, FLOAT_FLOOR)


@dataclass(frozen=True)
class Peer:
    """One way to get a decision from a model.

    Attributes:
        name: Name in the results.
        environment: Name of its requirements file.
        worker: Module under `workers`.
        kind: What the module should do.
        precision: "int8" or "float": which edgevid it is compared with.
        files: Names of its files in the model's folder, by role; a folder stands for all files in it.
        slow: Whether it takes seconds to start.
    """

    name: str
    environment: str
    worker: str
    kind: str
    precision: str
    files: dict[str, str]
    slow: bool = False

    def found(self, folder: Path) -> dict[str, str]:
        """Return the paths of the peer's files.

        Args:
            folder: Folder of the model.

        Raises:
            FileNotFoundError: One is missing; the message is the reason.
        """
        paths: dict[str, str] = {}
        for role, name in self.files.items():
            path = folder / name
            if reason := reason_against(path):
                raise FileNotFoundError(f"{name}: {reason}")
            each = sorted(path.iterdir()) if path.is_dir() else [path]
            paths |= {entry.name if path.is_dir() else role: str(entry) for entry in each}
        return paths


def _tflite(kind: str, encoder: str, head: str, title: str) -> Peer:
    files = {"encoder": f"encoder_{encoder}.tflite", "head": f"head_{head}.tflite"}
    if kind == "window":
        files = {"whole": f"whole_{encoder}.tflite"}
    return Peer(f"TFLite, {title}", "litert", "run_litert", kind, encoder, files)


def _onnx(title: str, environment: str, worker: str) -> list[Peer]:
    """Return the four ways to use a runtime of ONNX files."""
    peers = []
    for precision in ("float", "int8"):
        whole = {"whole": f"whole_{precision}.onnx"}
        halves = {part: f"{part}_{precision}.onnx" for part in ("encoder", "head")}
        peers += [
            Peer(f"{title}, whole window, {precision}", environment, worker, "window", precision, whole),
            Peer(f"{title}, feature cache, {precision}", environment, worker, "cache", precision, halves),
        ]
    return peers


def _edgevid(name: str, kind: str, precision: str, bundle: str) -> Peer:
    return Peer(name, "edgevid", "run_edgevid", kind, precision, {"bundle": bundle})


def _keras(name: str, kind: str) -> Peer:
    return Peer(name, "tensorflow", "run_keras", kind, "float", {"model": "model.h5"}, slow=True)


PEERS: tuple[Peer, ...] = (
    _edgevid(EDGEVID, "stream", "int8", "bundle.edgevid"),
    _edgevid(ENGINE, "engine", "int8", "bundle.edgevid"),
    _edgevid(ANY, "stream", "int8", "any.edgevid"),
    _edgevid(EDGEVID_FLOAT, "stream", "float", "float.edgevid"),
    Peer(FLOOR, "litert", "run_litert", "floor", "int8", {"parts": "parts"}),
    Peer(FLOAT_FLOOR, "litert", "run_litert", "floor", "float", {"parts": "float_parts"}),
    _tflite("cache", "int8", "float", "feature cache by hand, int8 encoder and float head"),
    _tflite("cache", "int8", "int8", "feature cache by hand, all int8"),
    _tflite("cache", "float", "float", "feature cache by hand, float"),
    _tflite("window", "int8", "int8", "whole window, int8"),
    _tflite("window", "float", "float", "whole window, float"),
    *_onnx("ONNX Runtime", "onnxruntime", "run_onnx"),
    *_onnx("OpenVINO", "openvino", "run_openvino"),
    _keras("`tf.function` of the model", "function"),
    _keras("`model.predict` on a deque", "predict"),
)
