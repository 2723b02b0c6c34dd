"""Reader and writer of bundles, `*.edgevid`: zip archives of stored members.

The reader returns nothing before all checks have passed, and it unpacks nothing to disk.
`docs/reference/bundle-format.md` is the specification.
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
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from edgevid import atomic
from edgevid.bundle.golden import Golden, golden_bytes, read_golden
from edgevid.bundle.manifest import FORMAT, VERSION, Manifest, Member, from_json
from edgevid.bundle.npy import ZIP_FAULTS, has_overlap
from edgevid.bundle.states import read_states
from edgevid.bundle.strict_json import read_object
from edgevid.errors import (
    BundleAltered,
    BundleMemberRefused,
    BundleTruncated,
    BundleVersionUnknown,
    ManifestInvalid,
    UsageError,
)
from edgevid.frames import Array
from edgevid.schema import to_json

MANIFEST, LABELS, GOLDEN, REPORT = "manifest.json", "labels.txt", "golden.npz", "report.json"
MAX_MEMBER_BYTES = 512 * 2**20
MAX_MEMBERS = 64
# Parsed JSON takes some twenty times its size in memory.
MAX_TEXT_BYTES: Mapping[str, int] = {MANIFEST: 2**20, LABELS: 2**20, REPORT: 8 * 2**20}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# The first date that a zip archive can hold; a fixed one gives equal bundles equal bytes.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# The end-of-directory record of an archive without a comment.
_ZIP_END, _ZIP_END_BYTES = b"PK\5\6", 22


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory. One that `read` returned has passed all checks.

    Attributes:
        manifest: Labels, input, window, parts and decision rule of the model.
        models: `.tflite` bytes of the parts and their Edge TPU twins, and initial states, by member name.
        golden: Frames and the scores for them on the converting machine.
        report: The conversion report as parsed JSON.
        path: The file that it was read from; None for a bundle made in memory.
    """

    manifest: Manifest
    models: Mapping[str, bytes]
    golden: Golden
    report: Mapping[str, Any]
    path: Path | None = field(default=None, compare=False)

    @property
    def initial_states(self) -> tuple[Array, ...]:
        """The values that the last part's states start with, as stored; empty for zeros."""
        last = self.manifest.parts[-1]
        if not last.initial_states:
            return ()
        return read_states(self.models[last.initial_states], last, self.path, max_bytes=MAX_MEMBER_BYTES)


class _StoredBundle(Bundle):
    """A bundle whose golden vectors and report are read from its file when they are first used."""

    @cached_property
    def golden(self) -> Golden:
        return _golden(self._proof_member(GOLDEN), self.manifest, self._file)

    @cached_property
    def report(self) -> Mapping[str, Any]:
        return read_object(self._proof_member(REPORT), REPORT, self._file)

    @property
    def _file(self) -> Path:
        assert self.path is not None
        return self.path

    def _proof_member(self, name: str) -> bytes:
        # The manifest in memory holds the hash, so a file that was replaced since is rejected.
        with _opened(self._file) as handle:
            archive = _open_archive(handle, self._file)
            _checked_infos(archive, self._file)
            return _checked_data(archive, name, self.manifest.members[name], self._file)


def read(path: str | Path, *, with_proof: bool = True) -> Bundle:
    """Read a bundle into memory and check all of it.

    Args:
        path: The `.edgevid` file.
        with_proof: Whether to read the golden vectors and the report. Without them, which running a
            model does not need, they are read and checked when they are first used.

    Raises:
        UsageError: If there is no such file, or it cannot be opened.
        BundleTruncated: If the file is not a whole zip archive.
        BundleVersionUnknown: If the bundle has another format version.
        BundleMemberRefused: If a member is illegal or missing.
        BundleAltered: If a member differs from its size or hash in the manifest.
        ManifestInvalid: If the manifest or another member is unreadable or has an illegal value.
        PartsDoNotJoin: If the tensors of the parts do not match.
    """
    path = Path(path)
    with _opened(path) as handle:
        return _read(handle, path, with_proof=with_proof)


def write(bundle: Bundle, path: str | Path) -> Manifest:
    """Write a bundle atomically. Equal bundles have equal bytes.

    Args:
        bundle: The bundle; `write` fills in `manifest.members`.
        path: The destination; an existing file is replaced.

    Returns:
        The manifest as written.

    Raises:
        UsageError: If the folder of `path` does not exist.
        BundleError: If `read` would reject the bundle; nothing is written then.
    """
    path = Path(path)
    members = _members(bundle)
    listed = {name: Member(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in members.items()}
    manifest = dataclasses.replace(bundle.manifest, members=listed)
    text = json.dumps(to_json(manifest), indent=1).encode()
    with atomic.replacing(path, durable=True) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {MANIFEST: text, **members}.items():
                archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data)
        # A device must never receive a bundle that its reader rejects.
        with temporary.open("rb") as handle:
            _read(handle, path, with_proof=True)
        # Readable by the device's service, whatever the umask.
        temporary.chmod(0o644)
    return manifest


def _opened(path: Path) -> IO[bytes]:
    if not path.is_file():
        raise UsageError(expected="a bundle file", found=f"none at {path}", path=path)
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(
            expected="a bundle file that can be read", found=f"{path}: {error.strerror}", path=path
        ) from error


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


def _read(handle: IO[bytes], path: Path, *, with_proof: bool) -> Bundle:
    archive = _open_archive(handle, path)
    infos = _checked_infos(archive, path)
    if MANIFEST not in infos:
        raise BundleMemberRefused(expected=f"a member {MANIFEST}", found=f"none in {path}", path=path)
    manifest = _read_manifest(_member(archive, MANIFEST, path), path)
    _check_member_names(manifest, set(infos), path)
    unread = () if with_proof else (GOLDEN, REPORT)
    for name in unread:
        _check_size(infos[name].file_size, name, manifest.members[name], path)
    wanted = {name: member for name, member in manifest.members.items() if name not in unread}
    data = {name: _checked_data(archive, name, member, path) for name, member in wanted.items()}
    if data[LABELS] != _labels(manifest):
        raise ManifestInvalid(
            expected=f"{LABELS} to hold the manifest's labels", found=f"other labels in {path}", path=path
        )
    models = {file: data[file] for file in (*manifest.files, *_states(manifest))}
    if with_proof:
        golden, report = _golden(data[GOLDEN], manifest, path), read_object(data[REPORT], REPORT, path)
        bundle = Bundle(manifest, models, golden, report, path)
    else:
        # Not through __init__, which would set the fields that are read later.
        bundle = object.__new__(_StoredBundle)
        bundle.__dict__.update(manifest=manifest, models=models, path=path)
    # Reading checks them; a device must not start with states that do not fit.
    _ = bundle.initial_states
    return bundle


def _states(manifest: Manifest) -> tuple[str, ...]:
    """Return the member with initial states, if there is one."""
    return tuple(part.initial_states for part in manifest.parts if part.initial_states)


def _golden(data: bytes, manifest: Manifest, path: Path) -> Golden:
    return read_golden(data, manifest, path, name=GOLDEN, max_bytes=MAX_MEMBER_BYTES)


def _open_archive(handle: IO[bytes], path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(handle)
    except ZIP_FAULTS as error:
        raise BundleTruncated(
            expected="a whole .edgevid bundle", found=f"a damaged or truncated file: {path} ({error})", path=path
        ) from error
    # ZipFile accepts bytes before the archive. The golden vectors are a zip archive too, so it
    # would read a bundle that was cut after them as these vectors with bytes before.
    handle.seek(-_ZIP_END_BYTES, os.SEEK_END)
    ends = handle.read(len(_ZIP_END)) == _ZIP_END
    begins = min((info.header_offset for info in archive.infolist()), default=0) == 0
    if not begins or not ends:
        raise BundleTruncated(
            expected="a bundle from the first byte to the last", found=f"bytes before or behind it in {path}", path=path
        )
    return archive


def _check_member_names(manifest: Manifest, stored: set[str], path: Path) -> None:
    wanted = {*manifest.files, *_states(manifest), LABELS, GOLDEN, REPORT}
    for where, names in (
        ("listed in the manifest", set(manifest.members)),
        ("stored in the archive", stored - {MANIFEST}),
    ):
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
        _check_info(info, path)
    by_name = {info.filename: info for info in infos}
    if len(by_name) != len(infos):
        raise BundleMemberRefused(expected="each member once", found=f"a name twice in {path}", path=path)
    if has_overlap(infos):
        raise BundleMemberRefused(
            expected="members that do not overlap", found=f"two at the same offset in {path}", path=path
        )
    return by_name


def _check_info(info: zipfile.ZipInfo, path: Path) -> None:
    """Check one entry of the archive's directory."""
    if not _NAME.fullmatch(info.filename):
        raise BundleMemberRefused(
            expected="plain member names", got=info.filename, found=f"{info.filename!r} in {path}", path=path
        )
    # Bit 0 of the flags marks an encrypted member.
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise BundleMemberRefused(
            expected="stored members", found=f"{info.filename!r} compressed or encrypted in {path}", path=path
        )
    limit = MAX_TEXT_BYTES.get(info.filename, MAX_MEMBER_BYTES)
    if max(info.file_size, info.compress_size) > limit:
        raise BundleMemberRefused(
            expected=f"members of at most {MAX_MEMBER_BYTES} bytes, and {info.filename} of at most {limit}",
            found=f"{info.filename!r} with {info.file_size} in {path}",
            path=path,
        )


def _check_size(size: int, name: str, member: Member, path: Path) -> None:
    if size != member.bytes:
        raise BundleAltered(expected=f"{name} with {member.bytes} bytes", found=f"{size} bytes in {path}", path=path)


def _checked_data(archive: zipfile.ZipFile, name: str, member: Member, path: Path) -> bytes:
    data = _member(archive, name, path)
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != member.bytes or digest != member.sha256:
        raise BundleAltered(
            expected=f"{name} with {member.bytes} bytes and the listed SHA-256",
            found=f"{len(data)} bytes with SHA-256 {digest} in {path}",
            path=path,
        )
    return data


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except ZIP_FAULTS as error:
        raise BundleAltered(
            expected=f"the original bytes of {name}", found=f"damaged bytes in {path} ({error})", path=path
        ) from error


def _read_manifest(data: bytes, path: Path) -> Manifest:
    value = read_object(data, MANIFEST, path)
    if value.get("format") != FORMAT or value.get("version") != VERSION:
        raise BundleVersionUnknown(
            expected=f"{FORMAT} version {VERSION}",
            got=value.get("version"),
            found=f"{value.get('format')!r} version {value.get('version')!r} in {path}",
            hint="Convert the model again.",
            path=path,
        )
    return from_json(value)
