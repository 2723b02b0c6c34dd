"""Encodes clips through the cache: what is on disk is read, the rest is decoded and encoded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as cached
from pathlib import Path

import numpy as np

from convert.clips import ClipRef, ClipSet, decode, evenly_spread
from convert.encoders.frame_encoder import FrameEncoder
from convert.progress import Progress
from convert.quantization.calibration import MAX_CLIPS
from convert.quantization.converter import Converter
from convert.splits.near_duplicates import Fingerprint
from convert.transfer.cache import FeatureCache, key_of
from convert.transfer.compiled import compile_encoder
from convert.transfer.encoding.clip_reader import ClipReader, Encoder, ReadClip, open_encoders, read_entries
from convert.transfer.encoding.interpreter import CompiledEncoder
from convert.transfer.encoding.processes import EncodedInProcesses, EncodingJob, encode_in_processes
from convert.transfer.encoding.windows import Way, WindowPlan, clip_digest, content_digest
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.stream_features import StreamEncoders
from convert.transfer.streams import Stream, Streams
from edgevid.bundle.parts import Part, Precision
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames import Array
from edgevid.schema import from_json, to_json

# Every window is encoded as the device will do it; the middle one also in float, for the answers of
# the model that is written.
_PRECISIONS: tuple[Precision, ...] = ("int8", "float32")


@dataclass(frozen=True)
class EncodedClips:
    """The features of clips, and how they were come by.

    Attributes:
        bank: The features.
        clips: The clips with their times and without frames, and those that cannot be read.
        fingerprints: What near-duplicates are found by, one for each clip that shows anything.
        cosine: See `TransferFacts.cosine`.
        cached: Clips that were on disk already.
        encoded: Clips that were encoded now.
    """

    bank: FeatureBank
    clips: ClipSet
    fingerprints: tuple[Fingerprint, ...]
    cosine: float | None
    cached: int
    encoded: int


class ClipLibrary:
    """The features of clips by one encoder, kept on disk.

    Args:
        encoder: The frozen encoder.
        plan: The windows of each clip.
        cache: The folder on disk.
        progress: Shows what is done.
        workers: Processes that encode clips; 1 encodes them in this one.
    """

    def __init__(
        self, encoder: FrameEncoder, plan: WindowPlan, cache: FeatureCache, *, progress: Progress, workers: int = 1
    ) -> None:
        self._encoder, self._cache, self._progress, self._workers = encoder, cache, progress, workers
        self._plans: dict[Precision, WindowPlan] = {"int8": plan, "float32": replace(plan, windows=1)}
        self._compiled: Mapping[Way, CompiledEncoder] = {}
        self._encoders: Mapping[Way, Encoder] = {}

    def read(self, refs: Sequence[ClipRef], streams: Sequence[Stream], *, classes: tuple[str, ...]) -> EncodedClips:
        """Return the features of clips; encode those that are not on disk.

        Args:
            refs: The clips, with labels.
            streams: What the encoder sees, each by itself.
            classes: Names of the classes, in the order of the scores.

        Raises:
            ClipsError: No clip of a class can be read.
            ConversionError: TensorFlow rejected the encoder.
            ModelError: A feature is not a finite number.
        """
        skipped: list[tuple[Path, str]] = []
        digests = clip_digests(refs, skipped)
        self._compiled = self._compile(digests, streams)
        self._encoders = open_encoders(self._compiled)
        read = self._read_all(digests, skipped)
        self._cache.prune()
        check_classes([each.clip.ref for each in read], classes, skipped)
        bank = _bank(read, streams, classes)
        encoded = sum(each.is_new for each in read)
        return EncodedClips(
            bank,
            ClipSet(tuple(each.clip for each in read), tuple(skipped)),
            tuple(each.fingerprint for each in read),
            _cosine(bank),
            len(read) - encoded,
            encoded,
        )

    def read_more(self, bank: FeatureBank, refs: Sequence[ClipRef]) -> FeatureBank:
        """Return a bank with more clips, by the encoders that `read` compiled.

        Args:
            bank: What `read` returned, or this.
            refs: More clips of its classes. Those that cannot be read are left out.
        """
        skipped: list[tuple[Path, str]] = []
        read = self._read_all(clip_digests(refs, skipped), skipped)
        for path, reason in skipped:
            self._progress.step(f"  skipped {path}: {reason}")
        return bank.extended(_bank(read, tuple(bank.trained), bank.classes)) if read else bank

    def stream_encoders(self, streams: Streams) -> StreamEncoders:
        """Return the encoders of the device for some streams, as `read` compiled them."""
        chosen = {stream: self._encoders[stream, "int8"] for stream in streams}
        return StreamEncoders(
            {stream: each.opened for stream, each in chosen.items()}, "".join(each.digest for each in chosen.values())
        )

    def _read_all(self, digests: Mapping[ClipRef, str], skipped: list[tuple[Path, str]]) -> list[ReadClip]:
        reader = ClipReader(self._plans, self._encoder.input, self._cache, self._encoders)
        missing = {ref: digest for ref, digest in digests.items() if not reader.is_on_disk(ref, digest)}
        made = self._encode(missing) if self._workers > 1 and len(missing) > 1 else EncodedInProcesses()
        self._cache.damaged += made.damaged
        read: list[ReadClip] = []
        for ref, digest in self._progress.track(list(digests.items()), "encoding clips"):
            try:
                clip = reader.read(ref, digest)
            except (SourceError, ContractError) as error:
                skipped.append(ref.unreadable(error))
            else:
                read.append(replace(clip, is_new=clip.is_new or ref in made.new))
        return read

    def _encode(self, clips: Mapping[ClipRef, str]) -> EncodedInProcesses:
        job = EncodingJob(self._plans, self._encoder.input, self._cache.folder, self._compiled)
        return encode_in_processes(job, clips, workers=self._workers, progress=self._progress)

    def _compile(self, digests: Mapping[ClipRef, str], streams: Sequence[Stream]) -> dict[Way, CompiledEncoder]:
        """Return the compiled encoders of all streams and precisions, from disk where they are there."""
        refs = list(digests)
        calibrating = [refs[index] for index in evenly_spread(len(refs), MAX_CLIPS)]
        keys = {
            (stream, precision): self._encoder_key(
                stream, precision, [digests[ref] for ref in calibrating] if precision == "int8" else []
            )
            for stream in streams
            for precision in _PRECISIONS
        }
        compiled = {way: _unpack(entry, self._encoder) for way, entry in read_entries(self._cache, keys).items()}
        if missing := [way for way in keys if way not in compiled]:
            clips = self._decode(calibrating)
            with Converter() as converter:
                for way in self._progress.track(missing, "converting the encoder"):
                    compiled[way] = compile_encoder(
                        self._encoder,
                        (way[0],),
                        window=self._plans[way[1]].window,
                        precision=way[1],
                        clips=clips,
                        converter=converter,
                    )
                    self._cache.write(keys[way], _pack(compiled[way]))
        return compiled

    def _encoder_key(self, stream: Stream, precision: Precision, calibrating: Sequence[str]) -> str:
        plan = self._plans[precision]
        return key_of(
            {
                "encoder": self._encoder.digest,
                "stream": stream,
                "precision": precision,
                "window": to_json(plan.window),
                "input": to_json(plan.input),
                "calibrated": list(calibrating),
            }
        )

    def _decode(self, refs: Iterable[ClipRef]) -> ClipSet:
        clips, reason = [], ""
        for ref in refs:
            try:
                clips.append(decode(ref, self._encoder.input))
            except (SourceError, ContractError) as error:
                _, reason = ref.unreadable(error)
        if not clips:
            raise ClipsError(expected="clips that can be read", found=f"none: {reason}")
        return ClipSet(tuple(clips))


def clip_digests(refs: Sequence[ClipRef], skipped: list[tuple[Path, str]]) -> dict[ClipRef, str]:
    """Return the digest of each clip.

    Args:
        refs: The clips.
        skipped: Those whose files cannot be read are appended.

    Raises:
        ClipsError: No file can be read.
    """
    # The segments of a recording share its file, which may be of an hour.
    content = cached(content_digest)
    digests: dict[ClipRef, str] = {}
    for ref in refs:
        try:
            digests[ref] = clip_digest(ref, content(ref.path))
        except OSError as error:
            skipped.append(ref.unreadable(error))
    if not digests:
        raise ClipsError(expected="clips that can be read", found=f"none of {len(refs)}: {skipped[0][1]}")
    return digests


def check_classes(read: Sequence[ClipRef], classes: Sequence[str], skipped: Sequence[tuple[Path, str]]) -> None:
    """Reject clips of which a class is lost because none of it can be read.

    Args:
        read: The clips that can be read.
        classes: All classes.
        skipped: Path and reason of the others.

    Raises:
        ClipsError: A class has no clip.
    """
    lost = sorted(set(classes) - {str(ref.label) for ref in read})
    if lost:
        raise ClipsError(
            expected="a clip of every class that can be read",
            got=lost,
            found=f"none of {', '.join(lost)}; {skipped[0][0]}: {skipped[0][1]}",
            path=skipped[0][0],
        )


def _pack(compiled: CompiledEncoder) -> dict[str, Array]:
    part = json.dumps(to_json(compiled.part)).encode()
    return {
        "data": np.frombuffer(compiled.data, np.uint8),
        "part": np.frombuffer(part, np.uint8),
        "seen_frames": np.array(compiled.seen_frames),
    }


def _unpack(entry: Mapping[str, Array], encoder: FrameEncoder) -> CompiledEncoder:
    part = from_json(Part, json.loads(entry["part"].tobytes()), "cached encoder")
    return CompiledEncoder(part, entry["data"].tobytes(), encoder.input, int(entry["seen_frames"]))


def _bank(read: Sequence[ReadClip], streams: Sequence[Stream], classes: tuple[str, ...]) -> FeatureBank:
    rows = [each.entries for each in read]
    labels = [row[streams[0], "int8"]["labels"] for row in rows]
    return FeatureBank(
        refs=tuple(each.clip.ref for each in read),
        classes=classes,
        shown=np.array([[classes.index(str(label)) for label in each] for each in labels]),
        trained={stream: np.stack([row[stream, "int8"]["features"] for row in rows]) for stream in streams},
        centre={stream: np.stack([row[stream, "float32"]["features"][0] for row in rows]) for stream in streams},
    )


def _cosine(bank: FeatureBank) -> float:
    """Return the lowest mean cosine of a stream between float and int8, without what all clips share."""
    cosines = []
    for stream, features in bank.centre.items():
        pairs = [each.astype(np.float32).mean(axis=1) for each in (features, bank.trained[stream][:, 0])]
        real, stored = (each - pairs[0].mean(axis=0) for each in pairs)
        lengths = np.linalg.norm(real, axis=1) * np.linalg.norm(stored, axis=1)
        cosines.append(float(((real * stored).sum(axis=1) / np.maximum(lengths, 1e-12)).mean()))
    return min(cosines)
