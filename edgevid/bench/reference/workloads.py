"""The fixed bundles of the suite, and where they are installed."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import MissingDependency, UsageError

_PACKAGE = "edgevid_reference"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One bundle of the suite.

    Attributes:
        name: Name in results, and of the file without its suffix.
        title: What it is.
        sha256: Hash of the file.
    """

    name: str
    title: str
    sha256: str


WORKLOADS: tuple[Workload, ...] = (
    Workload(
        name="gestures",
        title="the model that ships with edgevid, 64x64",
        sha256="14ac49d7ff3c4ed09522a8fd1ff2d2d8bb3624d319ab934e563d873cb77e914a",
    ),
    Workload(
        name="lrcn",
        title="LRCN, 64x64, 20 frames",
        sha256="0cb5999e1ea3f36751a994e8ab17989a94d77197f7ee37fac6a2edd94f7de206",
    ),
    Workload(
        name="mobilenet",
        title="MobileNetV2-0.35 and LSTM, 112x112, 16 frames",
        sha256="fb9f71a1bd3c4114c798ea3c56a5493925c22052faa30298ac8f4e46092dc320",
    ),
    Workload(
        name="lite0",
        title="EfficientNet-Lite0 and GRU, 224x224, 16 frames",
        sha256="706403199c55a8b9aba65d15ee0815d5c63de40654eaae77f54542c8e2388b6f",
    ),
    Workload(
        name="convlstm",
        title="ConvLSTM, 64x64, 10 frames",
        sha256="6a312b7d709baa467777f3be9c5389d54fc01997e4a1834eefde63d7cd2c37eb",
    ),
)
# The one that answers the stream with truth.
STREAM_WORKLOAD = "gestures"


def installed_folder() -> Path:
    """Return the folder of the installed bundles.

    Raises:
        MissingDependency: They are not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise MissingDependency(
            expected="the bundles of the reference suite",
            found=f"no package {_PACKAGE}",
            hint="Install the folder reference/ of edgevid's repository with pip, or name it with --bundles.",
        )
    return Path(next(iter(found.submodule_search_locations)))


def find_bundles(folder: Path) -> dict[str, Path]:
    """Return the suite's bundles by name.

    Args:
        folder: Folder of the files.

    Raises:
        UsageError: One is missing, or another file has its name.
    """
    return {workload.name: _checked(folder / f"{workload.name}.edgevid", workload) for workload in WORKLOADS}


def _checked(path: Path, workload: Workload) -> Path:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            expected=f"the reference bundle {workload.name} at {path}", found=str(error.strerror), path=path
        ) from error
    if found != workload.sha256:
        raise UsageError(
            expected=f"the reference bundle {workload.name} with the hash {workload.sha256[:12]}",
            found=f"{path} with {found[:12]}",
            hint="Install the bundles of this version of edgevid.",
            path=path,
        )
    return path
