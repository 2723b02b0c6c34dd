"""Make the bundles of the reference suite, and print their hashes for `edgevid/bench/reference/workloads.py`.

    python scripts/make_reference.py

A new set of bundles is a new version of the suite: results of different versions are never compared. Needs the
convert extra, and some minutes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers import files  # noqa: E402  # the path comes first
from benchmarks.peers.catalog import ANY, PEERS  # noqa: E402
from benchmarks.peers.environments import Environments  # noqa: E402
from benchmarks.peers.models import SUBJECTS  # noqa: E402

MODELS = {"lrcn": "lrcn20", "mobilenet": "mobilenet", "lite0": "lite0", "convlstm": "convlstm"}
OUT, BUILT = ROOT / "reference" / "edgevid_reference", ROOT / "build" / "peers"


def main() -> int:
    """Build each model, convert it, and copy the bundles."""
    OUT.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "edgevid" / "data" / "gestures.edgevid", OUT / "gestures.edgevid")
    subjects = {subject.name: subject for subject in SUBJECTS}
    peers = [peer for peer in PEERS if peer.name == ANY]
    for name, model in MODELS.items():
        folder = BUILT / "models" / model
        files.make(subjects[model], folder, peers=peers, environments=Environments(BUILT / "env"), root=ROOT)
        shutil.copy(folder / "any.edgevid", OUT / f"{name}.edgevid")
    for path in sorted(OUT.glob("*.edgevid")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        sys.stdout.write(f"{path.stem} {path.stat().st_size} {digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
