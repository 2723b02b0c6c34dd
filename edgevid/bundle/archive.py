"""Read and write `*.edgevid`, a zip of stored members: manifest, `.tflite` parts, labels, golden vectors, report.

Nothing from a bundle is used before every check has passed, and nothing is ever unpacked to disk. A bundle is written beside its
destination and renamed, so a reader sees the old one or the new one. `docs/bundle-format.md` is the specification.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from edgevid import atomic
from edgevid.bundle.golden import Golden, golden_bytes, read_golden
from edgevid.bundle.manifest import FORMAT, VERSION, Manifest, Member, from_json
from edgevid.bundle.npy import ZIP_FAULTS, overlap
from edgevid.errors import (
    BundleAltered,
    BundleMemberRefused,
    BundleTruncated,
    BundleVersionUnknown,
    ManifestInvalid,
    UsageError,
)
from edgevid.schema import to_json

MANIFEST, LABELS, GOLDEN, REPORT = "manifest.json", "labels.txt", "golden.npz", "report.json"
MAX_MEMBER_BYTES = 512 * 2**20
MAX_MEMBERS = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP_END, _ZIP_END_BYTES = b"PK\5\6", 22


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory, checked.

    Attributes:
        manifest: What it says about itself.
        models: Member name to `.tflite` bytes, of the parts and of their Edge TPU twins.
        golden: Its proof.
        report: The conversion's report, as parsed JSON.
        path: Where it was read from, if from a file.
    """

    manifest: Manifest
    models: Mapping[str, bytes]
    golden: Golden
    report: Mapping[str, Any]
    path: Path | None = field(default=None, compare=False)


def read(path: str | Path) -> Bundle:
    """Read a bundle and check all of it.

    Args:
        path: The file.

    Returns:
        The bundle; the file is closed.

    Raises:
        UsageError: There is no such file.
        BundleTruncated: No zip archive, or one that ends early.
        BundleVersionUnknown: Another version of the format.
        BundleMemberRefused: A member that may not be there, or one that is missing.
        BundleAltered: A size or hash differs from the manifest's.
        ManifestInvalid: The manifest or another member cannot be read.
        PartsDoNotJoin: The parts' tensors do not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(expected="a bundle file", found=f"none at {path}", path=path)
    try:
        handle = path.open("rb")
    except OSError as error:
        raise UsageError(
            expected="a bundle file that can be read", found=f"{path}: {error.strerror}", path=path
        ) from error
    with handle:
        return _read(handle, path)


def write(bundle: Bundle, path: str | Path) -> Manifest:
    """Write a bundle, whole or not at all.

    The same bundle gives the same bytes: members are stored in a fixed order with a fixed date. It is read back before it is put in place,
    so that nothing which `read` refuses is ever left for a device.

    Args:
        bundle: What to write; sizes and hashes in its manifest are filled in.
        path: Where to; replaced atomically.

    Returns:
        The manifest as written.

    Raises:
        BundleError: `read` would refuse it.
    """
    path = Path(path)
    members = _members(bundle)
    listed = {name: Member(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in members.items()}
    manifest = dataclasses.replace(bundle.manifest, members=listed)
    text = json.dumps(to_json(manifest), indent=1).encode()
    with atomic.replacing(path, durable=True) as written:
        with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {MANIFEST: text, **members}.items():
                archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data)
        with written.open("rb") as handle:
            _read(handle, path)
        written.chmod(0o644)
    return manifest


def _members(bundle: Bundle) -> dict[str, bytes]:
    members = {
        **bundle.models,
        LABELS: _labels(bundle.manifest),
        GOLDEN: golden_bytes(bundle.golden),
        REPORT: json.dumps(to_json(bundle.report), indent=1).encode(),
    }
    return dict(sorted(members.items()))


def _labels(manifest: Manifest) -> bytes:
    return "".join(f"{label}\n" for label in manifest.labels).encode()


def _read(handle: IO[bytes], path: Path) -> Bundle:
    archive = _open_archive(handle, path)
    infos = _checked_infos(archive, path)
    if MANIFEST not in infos:
        raise BundleMemberRefused(expected=f"a member {MANIFEST}", found=f"none in {path}", path=path)
    manifest = _read_manifest(_member(archive, MANIFEST, path), path)
    _refuse_other_members(manifest, set(infos), path)
    data = {name: _checked_data(archive, name, member, path) for name, member in manifest.members.items()}
    if data[LABELS] != _labels(manifest):
        raise ManifestInvalid(expected=f"{LABELS} to hold the manifest's labels", found=f"others in {path}", path=path)
    report = _json(data[REPORT], REPORT, path)
    models = {file: data[file] for file in manifest.files}
    return Bundle(
        manifest,
        models,
        read_golden(data[GOLDEN], manifest, path, name=GOLDEN, max_bytes=MAX_MEMBER_BYTES),
        report,
        path,
    )


def _open_archive(handle: IO[bytes], path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(handle)
    except ZIP_FAULTS as error:
        raise BundleTruncated(
            expected="a whole .edgevid bundle", found=f"a damaged or truncated file: {path} ({error})", path=path
        ) from error
    # The golden vectors are a zip as well: a bundle that ends behind them would pass for one with bytes before it.
    handle.seek(-_ZIP_END_BYTES, os.SEEK_END)
    ends = handle.read(len(_ZIP_END)) == _ZIP_END
    begins = min((info.header_offset for info in archive.infolist()), default=0) == 0
    if not (begins and ends):
        raise BundleTruncated(
            expected="a bundle from the first byte to the last", found=f"bytes before or behind it in {path}", path=path
        )
    return archive


def _refuse_other_members(manifest: Manifest, found: set[str], path: Path) -> None:
    wanted = {*manifest.files, LABELS, GOLDEN, REPORT}
    for where, names in (("listed in the manifest", set(manifest.members)), ("stored", found - {MANIFEST})):
        if names != wanted:
            raise BundleMemberRefused(
                expected=f"the members {sorted(wanted)}",
                got=names,
                found=f"{sorted(names)} {where} of {path}",
                path=path,
            )


def _checked_infos(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BundleMemberRefused(expected=f"at most {MAX_MEMBERS} members", found=f"{len(infos)} in {path}", path=path)
    for info in infos:
        if not _NAME.fullmatch(info.filename):
            raise BundleMemberRefused(
                expected="plain member names", got=info.filename, found=f"{info.filename!r} in {path}", path=path
            )
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise BundleMemberRefused(
                expected="stored members", found=f"{info.filename!r} compressed or encrypted in {path}", path=path
            )
        if max(info.file_size, info.compress_size) > MAX_MEMBER_BYTES:
            raise BundleMemberRefused(
                expected=f"members of at most {MAX_MEMBER_BYTES} bytes",
                found=f"{info.filename!r} with {info.file_size} in {path}",
                path=path,
            )
    by_name = {info.filename: info for info in infos}
    if len(by_name) != len(infos):
        raise BundleMemberRefused(expected="each member once", found=f"a name twice in {path}", path=path)
    if overlap(infos):
        raise BundleMemberRefused(
            expected="each member in a place of its own", found=f"two at one in {path}", path=path
        )
    return by_name


def _checked_data(archive: zipfile.ZipFile, name: str, member: Member, path: Path) -> bytes:
    data = _member(archive, name, path)
    if len(data) != member.bytes or hashlib.sha256(data).hexdigest() != member.sha256:
        raise BundleAltered(
            expected=f"{name} with {member.bytes} bytes and the listed SHA-256",
            found=f"{len(data)} others in {path}",
            path=path,
        )
    return data


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except ZIP_FAULTS as error:
        raise BundleAltered(
            expected=f"{name} as it was written", found=f"damaged bytes in {path} ({error})", path=path
        ) from error


def _json(data: bytes, name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once)
        # Python reads more than JSON has: NaN, numbers beyond a double, half of a surrogate pair. None of them can be written.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(expected=f"JSON in {name} of {path}", found=str(error), path=path) from error
    if not isinstance(value, dict):
        raise ManifestInvalid(expected=f"a JSON object in {name} of {path}", found=f"{type(value).__name__}", path=path)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice in one object")
    return value


def _read_manifest(data: bytes, path: Path) -> Manifest:
    value = _json(data, MANIFEST, path)
    if value.get("format") != FORMAT or value.get("version") != VERSION:
        raise BundleVersionUnknown(
            expected=f"{FORMAT} version {VERSION}",
            got=value.get("version"),
            found=f"{value.get('format')!r} version {value.get('version')!r} in {path}",
            hint="Convert the model again.",
            path=path,
        )
    return from_json(value)
