"""What training knew and a Keras file cannot say: labels, sampling, colour. It travels inside the `.keras` file.

A `.keras` file is a zip archive in which Keras reads the members that it knows and leaves others alone, so one more, `edgevid.json`, keeps
what would otherwise have to be said again, and could be said wrongly, at every conversion.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from edgevid.atomic import replacing
from edgevid.bundle.manifest import Window
from edgevid.errors import ContractError, ManifestInvalid, ModelError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from edgevid.schema import from_json, to_json

MEMBER = "edgevid.json"


@dataclass(frozen=True, kw_only=True)
class TrainingInfo:
    """What a model was trained on.

    Attributes:
        labels: The classes, in the order of the scores.
        window: How much of the past it sees.
        input: What it expects of one frame.
        decision: How its scores are meant to become events; names the background class where there is one.
    """

    labels: tuple[str, ...]
    window: Window
    input: InputSpec
    decision: DecisionRule = field(default_factory=DecisionRule)

    def __post_init__(self) -> None:
        unknown = set(self.decision.background) - set(self.labels)
        if unknown:
            raise ContractError(
                expected="a background class",
                choices=self.labels,
                got=sorted(unknown),
                found=f"{', '.join(sorted(unknown))}",
            )


def write_info(path: str | Path, info: TrainingInfo) -> None:
    """Put the information into a `.keras` file, in place of any that it holds.

    Args:
        path: The file; replaced as a whole or not at all.
        info: What to write.

    Raises:
        ModelError: The file is no zip archive.
    """
    with replacing(path) as beside:
        try:
            with zipfile.ZipFile(path) as source, zipfile.ZipFile(beside, "w") as target:
                for member in source.infolist():
                    if member.filename != MEMBER:
                        target.writestr(member, source.read(member))
                target.writestr(MEMBER, json.dumps(to_json(info), indent=1))
        except zipfile.BadZipFile as error:
            raise ModelError(
                expected="a .keras file, which is a zip archive", found=f"another kind of file: {path}", path=path
            ) from error


def read_info(path: str | Path) -> TrainingInfo | None:
    """Read the information from a model file, without loading the model.

    Args:
        path: Any model file.

    Returns:
        What `write_info` wrote, or None for a file that holds none.

    Raises:
        ModelError: The information is there and damaged.
    """
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                return None
            return from_json(TrainingInfo, json.loads(archive.read(MEMBER)), MEMBER)
    except (zipfile.BadZipFile, ValueError, RecursionError, ManifestInvalid) as error:
        raise ModelError(
            expected=f"{MEMBER} in {path} as training wrote it", found=f"a damaged one: {error}", path=path
        ) from error
