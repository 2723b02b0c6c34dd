"""Attacks on a bundle by refusal of `docs/reference/bundle-format.md`; `tests/edgevid/bundle/forgery.py` makes them."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevid.bundle.archive import MAX_MEMBERS
from edgevid.errors import (
    BundleAltered,
    BundleError,
    BundleMemberRefused,
    BundleTruncated,
    BundleVersionUnknown,
    ManifestInvalid,
    PartsDoNotJoin,
)
from tests.edgevid.bundle.forgery import (
    FRAMES,
    SCORES,
    VALUES,
    Attack,
    appended,
    as_window,
    badly_encoded_name,
    bomb,
    count_scale,
    count_type,
    cut_behind_golden,
    damaged,
    directory,
    field,
    forged,
    golden,
    golden_npy,
    golden_values,
    initial,
    lost_local_header,
    raw_manifest,
    renamed,
    same_length,
    second_place,
    short_stack,
    stack_with_lookback,
    state_lost,
    state_shape,
    step_feature,
    step_frame,
    text,
    twin,
    unlisted,
    unzipped,
    whole_bundle,
    without,
    zipped,
)
from tests.models.bundles import (
    features_manifest,
    one_step_manifest,
    stack_manifest,
    stateful_manifest,
    values_manifest,
)


def follow(manifest: Any) -> None:
    """Follow a person, whom rows of numbers do not show."""
    manifest["framing"] = {"follow": "person"}


@dataclass(frozen=True)
class Refusal:
    """The error class of a refusal, a pattern of its message, and the attacks that must meet it."""

    error: type[BundleError]
    pattern: str
    attacks: dict[str, Attack]


REFUSALS: dict[str, Refusal] = {
    "not-an-archive": Refusal(
        BundleTruncated,
        "a damaged or truncated file",
        {
            "empty": lambda _good: b"",
            "text": lambda _good: b"not a zip archive\n" * 9,
            "only the end of an archive": lambda good: good[-22:],
            "a name that is no UTF-8": badly_encoded_name,
            "a directory that lies outside": lambda good: good[:-10] + struct.pack("<I", 2**31) + good[-6:],
        },
    ),
    "truncated": Refusal(
        BundleTruncated,
        "truncated file|bytes before or behind",
        {
            **{
                f"after {place} 64ths": lambda good, place=place: good[: len(good) * place // 64] for place in range(64)
            },
            "by one byte": lambda good: good[:-1],
            "behind the golden vectors": cut_behind_golden,
        },
    ),
    "bytes-around": Refusal(
        BundleTruncated,
        "from the first byte to the last",
        {
            "before": lambda good: b"#!/bin/sh\n" + good,
            "behind": lambda good: good + b"\0",
            "another archive behind": lambda good: good + good,
            "a comment": lambda good: zipped(unzipped(good), comment=b"hello"),
            # Where a comment of this length begins, an archive without one has its end record.
            "a comment in place of the end": lambda good: zipped(unzipped(good), comment=b"z" * 22),
        },
    ),
    "too-many-members": Refusal(
        BundleMemberRefused,
        "at most 64 members",
        {"one more": lambda good: zipped({**unzipped(good), **{f"m{index}": b"" for index in range(MAX_MEMBERS)}})},
    ),
    "member-name": Refusal(
        BundleMemberRefused,
        "plain member names",
        {
            repr(name): renamed(name)
            for name in (
                "../report.json",
                "/report.json",
                "a/b",
                "..",
                "a\\b",
                "C:report",
                ".hidden",
                "-rf",
                "",
                "a b",
                "é",
                "x" * 101,
                "folder/",
                "a\nb",
            )
        },
    ),
    "member-packed": Refusal(
        BundleMemberRefused,
        "stored members",
        {
            "deflated": lambda good: zipped(unzipped(good), compression=zipfile.ZIP_DEFLATED),
            "bzip2": lambda good: zipped(unzipped(good), compression=zipfile.ZIP_BZIP2),
            "an unknown method": directory(10, "<H", 99),
            "encrypted": directory(8, "<H", 1),
        },
    ),
    "member-oversized": Refusal(
        BundleMemberRefused,
        "members of at most",
        {
            "size": directory(24, "<I", 2**30),
            "stored size": directory(20, "<I", 2**30),
            "a part of 512 MiB and a byte": directory(24, "<I", 2**29 + 1, member=b"head.tflite"),
            "a stored part of 512 MiB and a byte": directory(20, "<I", 2**29 + 1, member=b"head.tflite"),
            "a manifest of 1 MiB and a byte": raw_manifest(lambda text: text.ljust(2**20 + 1)),
            "labels of 1 MiB and a byte": forged(labels__txt=b"a" * (2**20 + 1)),
            "a report of 8 MiB and a byte": forged(report__json=b"{}".ljust(8 * 2**20 + 1)),
        },
    ),
    "member-overlap": Refusal(
        BundleMemberRefused, "members that do not overlap", {"the first where the second is": second_place}
    ),
    "member-twice": Refusal(
        BundleMemberRefused,
        "each member once",
        {
            "the manifest": lambda good: zipped([*unzipped(good).items(), ("manifest.json", b"{}")]),
            "a part": lambda good: zipped([("head.tflite", b"first"), *unzipped(good).items()]),
        },
    ),
    "member-missing": Refusal(
        BundleMemberRefused,
        "a member manifest.json|Expected the members",
        {
            "the manifest": without("manifest.json"),
            "everything": lambda _good: zipped({}),
            "a part": without("head.tflite"),
            "the labels": without("labels.txt"),
            "the golden vectors": without("golden.npz"),
            "a report that is not listed either": unlisted,
            "a twin that the manifest names": field("parts.0.edgetpu", "encoder_edgetpu.tflite"),
        },
    ),
    "member-extra": Refusal(
        BundleMemberRefused,
        "Expected the members",
        {
            "not listed": lambda good: zipped({**unzipped(good), "extra.bin": b""}),
            "listed": forged(extra__bin=b""),
            "a twin that no part names": forged(encoder_edgetpu__tflite=b"TFL3"),
            "the manifest lists itself": field("members.manifest\0json", {"bytes": 1, "sha256": ""}),
        },
    ),
    "version-unknown": Refusal(
        BundleVersionUnknown,
        "edgevid-bundle version 1, got",
        {
            "a later version": field("version", 2),
            "an earlier version": field("version", 0),
            "a version that is text": field("version", "1"),
            "no version": field("version", ...),
            "another format": field("format", "other"),
            "no format": field("format", ...),
        },
    ),
    "member-altered": Refusal(
        BundleAltered,
        "listed SHA-256|damaged bytes",
        {
            "one byte, with the old checksum": damaged,
            "other bytes, with their own checksum": same_length,
            "longer": lambda good: zipped({**unzipped(good), "head.tflite": unzipped(good)["head.tflite"] + b"\0"}),
            "empty": lambda good: zipped({**unzipped(good), "head.tflite": b""}),
            "another size listed": field("members.labels\0txt.bytes", 1),
            "no hash listed": field("members.labels\0txt.sha256", ""),
            "a lost header": lost_local_header,
            "the manifest itself": lambda good: good.replace(b'"tiny"', b'"tony"', 1),
        },
    ),
    "json-invalid": Refusal(
        ManifestInvalid,
        "JSON",
        {
            "no JSON": raw_manifest(lambda before: before[:-1]),
            "nothing": raw_manifest(lambda _before: b""),
            "an array": raw_manifest(lambda _before: b"[]"),
            "a number": raw_manifest(lambda _before: b"1"),
            "another encoding": raw_manifest(lambda before: before.decode().encode("utf-16")),
            "no UTF-8": text(b'"tiny"', b'"\xff"'),
            "a byte order mark": raw_manifest(lambda before: b"\xef\xbb\xbf" + before),
            "NaN": text(b'"interval_s": 0.1', b'"interval_s": NaN'),
            "infinity": text(b'"interval_s": 0.1', b'"interval_s": Infinity'),
            "a number beyond a double": text(b'"interval_s": 0.1', b'"interval_s": 1e999'),
            "a number of ten thousand digits": text(b'"frames": 4', b'"frames": ' + b"9" * 10_000),
            "nested too deeply": text(b'"tiny"', b"[" * 100_000 + b"]" * 100_000),
            "a report of 33 levels": forged(report__json=b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"),
            "a report of 900 levels": forged(report__json=b'{"a":' * 900 + b"1" + b"}" * 900),
            "half of a surrogate pair": text(b'"tiny"', b'"\\ud800"'),
            "a name twice": text(b'"lookback": 0', b'"lookback": 1, "lookback": 0'),
            "a report that is no JSON": forged(report__json=b"{"),
            "a report that is an array": forged(report__json=b"[]"),
            "a report with NaN": forged(report__json=b'{"agreement": NaN}'),
        },
    ),
    "field-missing": Refusal(
        ManifestInvalid,
        "exactly the fields",
        {
            path: field(path, ...)
            for path in ("name", "window", "window.frames", "input.color", "parts.0.inputs.0.name", "decision.exit")
        },
    ),
    "field-unknown": Refusal(
        ManifestInvalid,
        "exactly the fields",
        {path: field(path, 1) for path in ("extra", "window.fps", "input.mean", "parts.0.inputs.0.axis", "decision.x")},
    ),
    "field-type": Refusal(
        ManifestInvalid,
        "of type|to be a finite number|items in",
        {
            f"{path} {value!r}": field(path, value)
            for path, value in (
                ("name", 3),
                ("labels", "none"),
                ("labels", ["none", 3]),
                ("window", []),
                ("window.frames", 4.0),
                ("window.frames", True),
                ("window.frames", None),
                ("window.interval_s", "0.1"),
                ("window.interval_s", True),
                ("input.range", [0.0]),
                ("input.range", {"low": 0}),
                ("parts", {}),
                ("parts.0", None),
                ("parts.0.inputs.0.shape", [1, "6", 8, 3]),
                ("versions", {"edgevid": 1}),
                ("version", True),
                ("parts.0.edgetpu", None),
                ("decision.thresholds", {"wave": [0.5, 0.5]}),
                ("decision.unknown_below", "0.5"),
                ("parts.0.edgetpu", ["a.tflite"]),
                ("values", {"box": 4}),
                ("values", [["box", 4]]),
                ("values", [{"name": "box", "size": 4.0}]),
                ("keypoints", None),
                ("keypoints", "pose"),
                ("framing", None),
                ("framing", {"box": "0.1,0.1,0.5,0.5"}),
                ("framing", {"masks": [0.1, 0.1, 0.5, 0.1, 0.5, 0.5]}),
            )
        },
    ),
    "field-value": Refusal(
        ManifestInvalid,
        r"^(?!.*(hold the manifest|golden vectors|JSON))",
        {
            f"{path} {str(value)[:30]}": field(path, value)
            for path, value in (
                ("plan", "loop"),
                ("plan", "stack"),
                ("scores", "argmax"),
                ("labels", ["none"]),
                ("labels", ["none", "wave", "wave"]),
                ("labels", ["none", "wave", "a\nb"]),
                ("labels", ["none", "wave", "\x1b[2J"]),
                ("labels", ["none", "wave", ""]),
                ("lookback", -1),
                ("lookback", 4),
                ("window.frames", 0),
                ("window.frames", 10**30),
                ("window.interval_s", 0),
                ("window.interval_s", 1e-12),
                ("window.interval_s", 10**400),
                ("window.sampling", "random"),
                ("input.kind", "sound"),
                ("input.color", "yuv"),
                ("input.channels", 1),
                ("input.height", 0),
                ("input.range", [1.0, 0.0]),
                ("input.resize", "zoom"),
                ("input.interpolation", "lanczos"),
                ("decision.enter", 1.5),
                ("decision.exit", 0.7),
                ("decision.smoothing_s", -1),
                ("decision.background", ["nobody"]),
                ("decision.delays", []),
                ("decision.delays", [{"label": "nobody", "start_s": 0.5, "end_s": 0.5}]),
                ("decision.delays", [{"label": "wave", "start_s": 3601.0, "end_s": 0.5}]),
                ("decision.delays", [{"label": "wave", "start_s": 0.5}]),
                ("decision.delays", [{"label": "wave", "start_s": 0.5, "end_s": 0.5}] * 2),
                ("decision.thresholds", []),
                ("decision.thresholds", [{"label": "nobody", "enter": 0.5, "exit": 0.5}]),
                ("decision.thresholds", [{"label": "wave", "enter": 0.4, "exit": 0.5}]),
                ("decision.thresholds", [{"label": "wave", "enter": 0.5, "exit": 0.5}] * 2),
                ("decision.unknown_below", 0),
                ("decision.unknown_below", 1.5),
                ("values", []),
                ("values", [{"name": "", "size": 4}]),
                ("values", [{"name": "a\nb", "size": 4}]),
                ("values", [{"name": "box", "size": 0}]),
                ("values", [{"name": "box", "size": 4097}]),
                ("values", [{"name": "box", "size": 4}] * 2),
                ("keypoints", {"kind": "face", "normalise": "none"}),
                ("keypoints", {"kind": "pose", "normalise": "wrist"}),
                ("keypoints", {"kind": "pose", "normalise": "none"}),
                ("framing", {}),
                ("framing", {"rotate": 45}),
                ("framing", {"rotate": "90"}),
                ("framing", {"rotate": 90.0}),
                ("framing", {"follow": True}),
                ("framing", {"flip": "none"}),
                ("framing", {"follow": "dog"}),
                ("framing", {"box": [0.5, 0.5, 0.75, 0.5]}),
                ("framing", {"box": [0.5, 0.5, 0.5]}),
                ("framing", {"box": [0, 0, 64, 48]}),
                ("framing", {"masks": []}),
                ("framing", {"masks": [[0.1, 0.1, 0.5, 0.1]]}),
                ("parts.0.role", "decoder"),
                ("parts.0.role", "head"),
                ("parts.0.precision", "int4"),
                ("parts.0.file", "labels.txt"),
                ("parts.0.file", "head.tflite"),
                ("parts.0.file", "../encoder.tflite"),
                ("parts.0.edgetpu", ""),
                ("parts.0.edgetpu", "labels.txt"),
                ("parts.0.edgetpu", "../encoder.tflite"),
                ("parts.0.edgetpu", "encoder.tflite"),
                ("parts.0.edgetpu", "head.tflite"),
                ("parts.0.initial_states", "states.npz"),
                ("parts.0.inputs.0.dtype", "int4"),
                ("parts.0.inputs.0.dtype", "int32"),
                ("parts.0.inputs.0.scale", 0),
                ("parts.0.inputs.0.scale", 1e300),
                ("parts.0.inputs.0.zero_point", 128),
                ("parts.0.inputs.0.shape", []),
                ("parts.0.inputs.0.shape", [2, 6, 8, 3]),
                ("parts.0.inputs.0.shape", [1, -1, 8, 3]),
            )
        }
        | {
            "a lookback in plan stack": whole_bundle(stack_with_lookback, make=stack_manifest),
            "a framing of rows": whole_bundle(follow, make=features_manifest),
            "a twin of a part in float": whole_bundle(twin, make=stack_manifest),
            "a step alone in another plan": whole_bundle(as_window, make=one_step_manifest),
            "initial states under another name": initial(name="golden.npz"),
            "a quantised count": whole_bundle(count_scale, make=one_step_manifest),
            "a count that comes back as a real number": whole_bundle(count_type, make=one_step_manifest),
        },
    ),
    "parts-do-not-join": Refusal(
        PartsDoNotJoin,
        "to have shape|inputs? of part|outputs? of part",
        {
            "a frame of another size": field("parts.0.inputs.0.shape", [1, 8, 6, 3]),
            "a lookback that the encoder does not have": field("lookback", 1),
            "features of another length": field("parts.0.outputs.0.shape", [1, 6]),
            "a head over another window": field("parts.1.inputs.0.shape", [1, 5, 5]),
            "scores for another number of labels": field("parts.1.outputs.0.shape", [1, 4]),
            "one score for three labels": field("parts.1.outputs.0.shape", [1, 1]),
            "an encoder with no input": field("parts.0.inputs", []),
            "an encoder with two inputs": appended(0, "inputs"),
            "an encoder with no output": field("parts.0.outputs", []),
            "an encoder with two outputs": appended(0, "outputs"),
            "a head with no input": field("parts.1.inputs", []),
            "a head with two inputs": appended(1, "inputs"),
            "a head with no output": field("parts.1.outputs", []),
            "a head with two outputs": appended(1, "outputs"),
            "a state of another shape": whole_bundle(state_shape, make=stateful_manifest),
            "a state that does not come back": whole_bundle(state_lost, make=stateful_manifest),
            "a step over another feature": whole_bundle(step_feature, make=stateful_manifest),
            "a step over another frame": whole_bundle(step_frame, make=one_step_manifest),
            "a stack of too few frames": whole_bundle(short_stack, make=stack_manifest),
        },
    ),
    "labels-differ": Refusal(
        ManifestInvalid,
        "labels.txt to hold the manifest's labels",
        {
            "another label": forged(labels__txt=b"none\nwave\nswype\n"),
            "another order": forged(labels__txt=b"wave\nnone\nswipe\n"),
            "one more": forged(labels__txt=b"none\nwave\nswipe\nmore\n"),
            "no last line end": forged(labels__txt=b"none\nwave\nswipe"),
            "DOS line ends": forged(labels__txt=b"none\r\nwave\r\nswipe\r\n"),
        },
    ),
    "states-unreadable": Refusal(
        ManifestInvalid,
        "initial state",
        {
            "no archive": initial(data=b"not a zip"),
            "a state missing": initial(state_1=...),
            "an array too many": initial(more=np.zeros(3)),
            "pickled objects": initial(state_0=np.array([{}, None], dtype=object)),
            "a state of another shape": initial(state_0=np.ones((7, 2), np.float32)),
            "a state of another type": initial(state_1=np.ones(1, np.int64)),
            "a state that is NaN": initial(state_0=np.full((2, 7), np.nan, np.float32)),
        },
    ),
    "golden-unreadable": Refusal(
        ManifestInvalid,
        "golden vectors in golden.npz|engine's name",
        {
            "no archive": forged(golden__npz=b"not a zip"),
            "nothing": forged(golden__npz=b""),
            "a single array": forged(golden__npz=b"\x93NUMPY\x01\x00"),
            "an array missing": golden(scores=...),
            "an array too many": golden(more=np.zeros(3)),
            "values of a model without values": golden(values=np.zeros((4, 0), np.float32)),
            "values and one array more": whole_bundle(
                lambda _manifest: None, make=values_manifest, values=VALUES, more=VALUES
            ),
            "values that are objects": golden_values(np.array([{}, None], dtype=object)),
            "pickled objects": golden(frames=np.array([{}, None], dtype=object)),
            "an engine that is a number": golden(engine=np.array(3)),
            "an engine that is no UTF-8": golden(engine=np.array(b"\xff")),
            "more bytes than there are": golden_npy(
                b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 6, 8, 3), }\n"
            ),
            "a shape beyond integers": golden_npy(
                b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999, 3), }\n"
            ),
            "a negative shape": golden_npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2), }\n"),
            "a header that is no literal": golden_npy(b"{((((\n"),
            "a header that calls": golden_npy(b"__import__('os').getcwd()\n"),
            "a header that is nested too deeply": golden_npy(b"[" * 5000 + b"]" * 5000),
            "a type of no size": golden_npy(b"{'descr': '|V0', 'fortran_order': False, 'shape': (3,), }\n"),
        },
    ),
    "golden-oversized": Refusal(
        ManifestInvalid,
        "bytes unpacked|bytes that cannot be read",
        {"by its stated size": bomb(2**30), "by its hidden size": bomb(100)},
    ),
    "golden-does-not-fit": Refusal(
        ManifestInvalid,
        "finite golden vectors",
        {
            "frames of another size": golden(frames=np.zeros((7, 8, 6, 3), np.uint8)),
            "frames of another type": golden(frames=FRAMES.astype(np.float32)),
            "frames that are one number": golden(frames=np.array(3, np.uint8)),
            "too few frames for one window": golden(frames=FRAMES[:3], scores=SCORES[:0], float_scores=SCORES[:0]),
            "a score too few": golden(scores=SCORES[:3]),
            "scores for another number of labels": golden(scores=SCORES[:, :2], float_scores=SCORES[:, :2]),
            "scores of another type": golden(scores=SCORES.astype(np.float64)),
            "scores that are text": golden(scores=SCORES.astype("U9")),
            "float scores too few": golden(float_scores=SCORES[:3]),
            "scores that are NaN": golden(scores=np.full((4, 3), np.nan, np.float32)),
            "values for too few answers": golden_values(VALUES[:3]),
            "a value too few": golden_values(VALUES[:, :4]),
            "a value too many": golden_values(np.zeros((4, 6), np.float32)),
            "values of another type": golden_values(VALUES.astype(np.float64)),
            "values in a row": golden_values(VALUES.ravel()),
            "values that are NaN": golden_values(np.full((4, 5), np.nan, np.float32)),
            "float scores that are infinite": golden(float_scores=np.full((4, 3), np.inf, np.float32)),
        },
    ),
}
