"""The networks of the key points, in the user's cache. Nothing of them ships with edgevid.

They are files of the wheel mediapipe 0.10.18 (Apache-2.0), the last that has them. Each is known by
its SHA-256, so it does not matter which of its wheels they come from.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.errors import AssetError, UsageError
from edgevid.inference.threads import state_folder

_FETCH = "Run: edgevid fetch keypoints."
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the wheel.

    Attributes:
        member: Its path in the wheel.
        bytes: Its size.
        sha256: Its hash in hexadecimal.
    """

    member: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Its name in the cache."""
        return self.member.rpartition("/")[2]


ASSETS = (
    Asset(
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        2959046,
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    Asset(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        6440512,
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    Asset(
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        2339846,
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    Asset(
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        5478917,
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    Asset(
        "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
        123792,
        "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
    ),
    Asset(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        229714,
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    Asset(
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        1242398,
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
    Asset(
        "mediapipe-0.10.18.dist-info/LICENSE",
        12331,
        "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
    ),
)


LICENSE = "LICENSE"


def folder() -> Path:
    """Return the folder for the files.

    Returns:
        `$EDGEVID_KEYPOINTS`, else `keypoints` in the folder for measurements; may not exist.
    """
    chosen = os.environ.get("EDGEVID_KEYPOINTS")
    return Path(chosen) if chosen else state_folder() / "keypoints"


def reader(where: Path | None = None) -> Callable[[str], bytes]:
    """Return a function that reads a file by its name and checks it.

    Args:
        where: The folder; None for `folder()`. The function raises `AssetError`.
    """
    by_name = {asset.name: asset for asset in ASSETS}
    place = where or folder()
    return lambda name: read(by_name[name], place)


def read(asset: Asset, where: Path) -> bytes:
    """Read a file of the cache.

    Raises:
        AssetError: It is missing, cannot be read, or has another hash.
    """
    path = where / asset.name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise AssetError(
            expected=f"{asset.name}, a network of the key points, in {where}", found="none", hint=_FETCH, path=path
        ) from None
    except OSError as error:
        raise AssetError(expected="a file that can be read", found=f"{path}: {error.strerror}", path=path) from error
    _check(asset, data, str(path))
    return data


def missing(where: Path) -> list[Asset]:
    """Return the files that are not in the cache, or altered."""
    return [asset for asset in ASSETS if not _is_good(asset, where)]


def unpack(wheel: Path, where: Path) -> list[Path]:
    """Copy all files from a wheel into the cache, or none.

    Args:
        wheel: Any wheel of mediapipe 0.10.18.
        where: The cache; created if it does not exist.

    Returns:
        The paths of the files.

    Raises:
        UsageError: The wheel does not exist.
        AssetError: It is no wheel with these files.
    """
    UsageError.unless(wheel.is_file(), expected="a wheel of mediapipe 0.10.18", found=f"no file at {wheel}")
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = [_extract(archive, asset, wheel) for asset in ASSETS]
    except _ZIP_FAULTS as error:
        raise AssetError(
            expected="a wheel of mediapipe 0.10.18", found=f"{wheel}, which cannot be read: {error}", path=wheel
        ) from error
    where.mkdir(parents=True, exist_ok=True)
    return list(_write(zip(ASSETS, contents, strict=True), where))


def _write(contents: Iterable[tuple[Asset, bytes]], where: Path) -> Iterable[Path]:
    for asset, data in contents:
        atomic.write(where / asset.name, [data], durable=False)
        yield where / asset.name


def _extract(archive: zipfile.ZipFile, asset: Asset, wheel: Path) -> bytes:
    try:
        entry = archive.getinfo(asset.member)
    except KeyError:
        raise AssetError(
            expected=f"a wheel of mediapipe 0.10.18, which has {asset.name}",
            found=f"{wheel}, which has none",
            hint="Later releases have no such files.",
            path=wheel,
        ) from None
    # Before reading: an archive may announce gigabytes.
    data = archive.read(entry) if entry.file_size == asset.bytes else b""
    _check(asset, data, f"{asset.name} in {wheel}")
    return data


def _check(asset: Asset, data: bytes, where: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    AssetError.unless(
        found == asset.sha256,
        expected=f"{where} with the SHA-256 {asset.sha256[:12]}...",
        found=f"{found[:12]}...: the file was altered",
        hint=_FETCH,
    )


def _is_good(asset: Asset, where: Path) -> bool:
    try:
        read(asset, where)
    except AssetError:
        return False
    return True
