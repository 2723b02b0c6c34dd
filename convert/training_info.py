"""Training metadata inside a `.keras` file: labels, sampling, frames and decision rule.

A `.keras` file is a zip archive, and Keras ignores members that it does not know. `edgevid train`
adds the member `edgevid.json`, so that a conversion needs no options that describe the training.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from edgevid.atomic import replacing
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import ContractError, ManifestInvalid, ModelError
from edgevid.events.rule import DecisionRule
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import InputSpec
from edgevid.schema import from_json, optional, to_json

MEMBER = "edgevid.json"


@dataclass(frozen=True, kw_only=True)
class TrainingInfo:
    """The metadata that training leaves for the conversion.

    Attributes:
        labels: The classes, in the order of the scores.
        window: Length and sampling of the model's window.
        input: The model's input frame.
        decision: Rule from scores to events; names the background class, if there is one.
        framing: What the model saw of the pictures.
        keypoints: Key points of pictures that made the rows of the input; None for other inputs.
    """

    labels: tuple[str, ...]
    window: Window
    input: InputSpec
    decision: DecisionRule = field(default_factory=DecisionRule)
    framing: Framing = optional(PLAIN)  # noqa: RUF009  # it returns a field
    keypoints: KeypointRows | None = optional(None)  # noqa: RUF009  # it returns a field

    def __post_init__(self) -> None:
        unknown = set(self.decision.background) - set(self.labels)
        if unknown:
            raise ContractError(
                expected="a background class",
                choices=self.labels,
                got=sorted(unknown),
                found=", ".join(sorted(unknown)),
            )


def write_info(path: str | Path, info: TrainingInfo) -> None:
    """Write metadata into a `.keras` file and replace the metadata that the file holds.

    Args:
        path: The file; replaced as a whole or not at all.
        info: The metadata.

    Raises:
        ModelError: The file is not a zip archive.
    """
    with replacing(path) as temporary:
        try:
            with zipfile.ZipFile(path) as source, zipfile.ZipFile(temporary, "w") as target:
                # A zip archive cannot replace a member in place: appending would leave both under
                # one name.
                for member in source.infolist():
                    if member.filename != MEMBER:
                        target.writestr(member, source.read(member))
                target.writestr(MEMBER, json.dumps(to_json(info), indent=1))
        except zipfile.BadZipFile as error:
            raise ModelError(
                expected="a .keras file, which is a zip archive", found=f"another kind of file: {path}", path=path
            ) from error


def read_info(path: str | Path) -> TrainingInfo | None:
    """Read the metadata of a model file without loading the model.

    Args:
        path: Any model file or folder.

    Returns:
        The metadata, or None if the file holds none.

    Raises:
        ModelError: The metadata is damaged.
    """
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                return None
            return from_json(TrainingInfo, json.loads(archive.read(MEMBER)), MEMBER)
    # RecursionError: json follows brackets as deep as a damaged member nests them.
    except (zipfile.BadZipFile, ValueError, RecursionError, ManifestInvalid) as error:
        raise ModelError(
            expected=f"{MEMBER} in {path} as training wrote it", found=f"damaged metadata: {error}", path=path
        ) from error
