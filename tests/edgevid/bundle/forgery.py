"""Forgeries: functions from the bytes of a good bundle of plan "window" to those of a bad one.

Where possible a forgery updates the listed sizes and hashes, so that no earlier check rejects it.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from edgevid.bundle.golden import golden_bytes
from edgevid.bundle.manifest import STATES
from edgevid.schema import to_json
from tests.models.bundles import bundle_for, started_manifest, tensor, values_manifest

Members = dict[str, bytes]
Attack = Callable[[bytes], bytes]


def unzipped(good: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(
    members: Members | list[tuple[str, bytes]], *, compression: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items() if isinstance(members, dict) else members:
            with warnings.catch_warnings(action="ignore"):  # of a name twice
                archive.writestr(zipfile.ZipInfo(name), data, compression)
        archive.comment = comment
    return stream.getvalue()


def relisted(members: Members) -> Members:
    """Update the sizes and hashes in the manifest to those of the members."""
    manifest = json.loads(members["manifest.json"])
    others = {name: data for name, data in members.items() if name != "manifest.json"}
    manifest["members"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in others.items()
    }
    return {"manifest.json": json.dumps(manifest).encode(), **others}


def forged(**changes: bytes) -> Attack:
    """Replace members (names with `__` for the dot) and update their sizes and hashes."""
    return lambda good: zipped(
        relisted({**unzipped(good), **{name.replace("__", "."): data for name, data in changes.items()}})
    )


def raw_manifest(edit: Callable[[bytes], bytes]) -> Attack:
    """Change the manifest's text."""

    def attack(good: bytes) -> bytes:
        members = unzipped(good)
        return zipped({**members, "manifest.json": edit(members["manifest.json"])})

    return attack


def field(path: str, value: Any) -> Attack:
    """Set a field of the manifest by its path with dots (`\\0` for a dot in a name); `...` removes it."""

    def edit(text: bytes) -> bytes:
        manifest = json.loads(text)
        *parents, last = [int(step) if step.isdigit() else step.replace("\0", ".") for step in path.split(".")]
        place = manifest
        for step in parents:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
        return json.dumps(manifest).encode()

    return raw_manifest(edit)


def appended(part: int, side: str) -> Attack:
    """Add an input or output to a part."""

    def edit(before: bytes) -> bytes:
        manifest = json.loads(before)
        manifest["parts"][part][side].append(to_json(tensor(1, 5, name="second")))
        return json.dumps(manifest).encode()

    return raw_manifest(edit)


def text(old: bytes, new: bytes) -> Attack:
    """Replace text in the manifest."""

    def edit(before: bytes) -> bytes:
        assert old in before
        return before.replace(old, new, 1)

    return raw_manifest(edit)


def whole_bundle(edit: Callable[[Any], Any], *, make: Callable[[], Any], **arrays: Any) -> Attack:
    """Forge a bundle of another plan: edit its manifest as JSON and add arrays to its golden vectors."""

    def attack(_good: bytes) -> bytes:
        bundle = bundle_for(make())
        golden = io.BytesIO()
        proof = {name: getattr(bundle.golden, name) for name in ("frames", "scores", "float_scores")}
        np.savez(golden, **proof, engine=np.array(b"fake"), **arrays)
        manifest = to_json(bundle.manifest)
        edit(manifest)
        files = {
            "labels.txt": b"none\nwave\nswipe\n",
            "golden.npz": golden.getvalue(),
            "report.json": b"{}",
            **bundle.models,
        }
        return zipped(relisted({"manifest.json": json.dumps(manifest).encode(), **files}))

    return attack


def golden_values(values: Any) -> Attack:
    """Set the golden values of a bundle with five numbers besides its scores."""
    return whole_bundle(lambda manifest: manifest, make=values_manifest, values=values)


def golden(**changes: Any) -> Attack:
    """Replace arrays of the golden vectors; `...` removes one."""

    def attack(good: bytes) -> bytes:
        members = unzipped(good)
        with np.load(io.BytesIO(members["golden.npz"])) as arrays:
            merged = {**{name: arrays[name] for name in arrays.files}, **changes}
        stream = io.BytesIO()
        np.savez(stream, **{name: array for name, array in merged.items() if array is not ...})
        return forged(golden__npz=stream.getvalue())(good)

    return attack


def golden_npy(header: bytes, *, data: bytes = b"\0" * 64) -> Attack:
    """Replace the golden frames by a `.npy` with a forged header."""

    def attack(good: bytes) -> bytes:
        inner = unzipped(unzipped(good)["golden.npz"])
        inner["frames.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
        return forged(golden__npz=zipped(inner))(good)

    return attack


def bomb(declared_bytes: int) -> Attack:
    """Make the golden frames inflate from a few kilobytes to 32 MiB; the directory states `declared_bytes`."""

    def attack(good: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in unzipped(unzipped(good)["golden.npz"]).items():
                archive.writestr(name, bytes(2**25) if name == "frames.npy" else data)
            archive.getinfo("frames.npy").file_size = declared_bytes
        return forged(golden__npz=stream.getvalue())(good)

    return attack


def directory(offset: int, layout: str, value: int, *, member: bytes = b"manifest.json") -> Attack:
    """Overwrite a number in a member's record of the central directory."""

    def attack(good: bytes) -> bytes:
        bad = bytearray(good)
        # A record has 46 bytes before its name.
        record = good.index(member, struct.unpack("<I", good[-6:-2])[0]) - 46
        struct.pack_into(layout, bad, record + offset, value)
        return bytes(bad)

    return attack


def second_place(good: bytes) -> bytes:
    """Make the directory's first record point to the second member."""
    place = zipfile.ZipFile(io.BytesIO(good)).infolist()[1].header_offset
    bad = bytearray(directory(42, "<I", place)(good))
    # Something has to begin at the first byte.
    last = bad.rindex(b"PK\x01\x02")
    struct.pack_into("<I", bad, last + 42, 0)
    return bytes(bad)


def renamed(name: str) -> Attack:
    return lambda good: zipped(
        [(name if member == "report.json" else member, data) for member, data in unzipped(good).items()]
    )


def badly_encoded_name(good: bytes) -> bytes:
    """Flag a name as UTF-8 that is not."""
    return zipped([*unzipped(good).items(), ("é.txt", b"")]).replace("é.txt".encode(), b"\xff\xfe.txt")


def without(*names: str) -> Attack:
    return lambda good: zipped({name: data for name, data in unzipped(good).items() if name not in names})


def unlisted(good: bytes) -> bytes:
    """Remove the report from the archive and from the list, so that both agree."""
    members = unzipped(good)
    del members["report.json"]
    return zipped(relisted(members))


def cut_behind_golden(good: bytes) -> bytes:
    """End the file where the golden vectors end, which are a zip archive themselves."""
    inner = unzipped(good)["golden.npz"]
    return good[: good.index(inner) + len(inner)]


def damaged(good: bytes) -> bytes:
    return good.replace(b"TFL3 head", b"TFL3 haed", 1)


def same_length(good: bytes) -> bytes:
    members = unzipped(good)
    return zipped({**members, "head.tflite": members["head.tflite"][::-1]})


def lost_local_header(good: bytes) -> bytes:
    """Break the local header of the second member."""
    place = good.index(b"PK\x03\x04", 4)
    return good[:place] + b"XXXX" + good[place + 4 :]


def state_shape(manifest: Any) -> None:
    manifest["parts"][1]["outputs"][1]["shape"] = [1, 8]


def state_lost(manifest: Any) -> None:
    del manifest["parts"][1]["outputs"][2]


def step_feature(manifest: Any) -> None:
    manifest["parts"][1]["inputs"][0]["shape"] = [1, 6]


def step_frame(manifest: Any) -> None:
    manifest["parts"][0]["inputs"][0]["shape"] = [1, 2, 6, 8, 3]


def as_window(manifest: Any) -> None:
    manifest["plan"] = "window"


def count_scale(manifest: Any) -> None:
    manifest["parts"][0]["inputs"][2]["scale"] = 0.5


def count_type(manifest: Any) -> None:
    manifest["parts"][0]["outputs"][2]["dtype"] = "float32"


def initial(*, name: str = STATES, data: bytes | None = None, **changes: Any) -> Attack:
    """Change the initial states of a stream: their name, their bytes, or arrays; `...` removes one."""

    def attack(_good: bytes) -> bytes:
        bundle = bundle_for(started_manifest())
        arrays = {f"state_{index}": state for index, state in enumerate(bundle.initial_states)} | changes
        stream = io.BytesIO()
        np.savez(stream, **{key: array for key, array in arrays.items() if array is not ...})
        golden = {"golden.npz": golden_bytes(bundle.golden), "labels.txt": b"none\nwave\nswipe\n", "report.json": b"{}"}
        manifest = to_json(bundle.manifest)
        manifest["parts"][0]["initial_states"] = name
        states = stream.getvalue() if data is None else data
        members = {"manifest.json": json.dumps(manifest).encode(), **bundle.models, STATES: states, **golden}
        return zipped(relisted(members))

    return attack


def short_stack(manifest: Any) -> None:
    manifest["parts"][0]["inputs"][0]["shape"][1] = 3


def twin(manifest: Any) -> None:
    manifest["parts"][0]["edgetpu"] = "whole_edgetpu.tflite"


def stack_with_lookback(manifest: Any) -> None:
    manifest["lookback"] = 1


FRAMES = np.zeros((7, 6, 8, 3), np.uint8)
SCORES = np.full((4, 3), 1 / 3, np.float32)
VALUES = np.zeros((4, 5), np.float32)
