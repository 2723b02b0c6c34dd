"""Reads the features of one clip through the cache: what is on disk is read, the rest is decoded and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from convert.clips import Clip, ClipRef, decode
from convert.splits.near_duplicates import Fingerprint, fingerprint
from convert.transfer.cache import FeatureCache, key_of
from convert.transfer.encoding.interpreter import CompiledEncoder, OpenedEncoder
from convert.transfer.encoding.windows import Way, WindowPlan, encode_clip, entry_key
from edgevid.bundle.parts import Precision
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.schema import to_json

_NO_FRAMES = np.empty((0, 0, 0, 0), np.uint8)


@dataclass(frozen=True)
class ReadClip:
    """A clip, without its frames, and what is known of it.

    Attributes:
        clip: The clip.
        entries: Its features, for each encoder.
        fingerprint: What near-duplicates are found by.
        is_new: Whether any of it was not on disk.
    """

    clip: Clip
    entries: Mapping[Way, Mapping[str, Array]]
    fingerprint: Fingerprint
    is_new: bool


@dataclass(frozen=True)
class Encoder:
    """An encoder with the key of its file's content and its interpreter.

    Attributes:
        digest: SHA-256 of the file.
        opened: The interpreter.
    """

    digest: str
    opened: OpenedEncoder


def open_encoders(compiled: Mapping[Way, CompiledEncoder]) -> dict[Way, Encoder]:
    """Load encoders into interpreters."""
    return {way: Encoder(sha256(each.data).hexdigest(), each.open()) for way, each in compiled.items()}


class ClipReader:
    """Reads clips, one after the other.

    Args:
        plans: The windows of each clip, for each precision.
        spec: Input frames of the encoders.
        cache: The folder on disk.
        encoders: The encoders to run.
    """

    def __init__(
        self,
        plans: Mapping[Precision, WindowPlan],
        spec: InputSpec,
        cache: FeatureCache,
        encoders: Mapping[Way, Encoder],
    ) -> None:
        self._plans, self._spec, self._cache, self._encoders = plans, spec, cache, encoders

    def read(self, ref: ClipRef, digest: str) -> ReadClip:
        """Read a clip from disk; decode and encode what is missing there.

        Args:
            ref: The clip, with its label.
            digest: From `clip_digest`.

        Raises:
            SourceError: The clip cannot be read.
            ContractError: Its frames do not fit the encoder.
            ModelError: A feature is not a finite number.
        """
        keys = self._keys(ref, digest)
        entries = read_entries(self._cache, keys)
        facts_key = self._facts_key(digest)
        facts = self._cache.read(facts_key)
        missing = {way: key for way, key in keys.items() if way not in entries}
        is_new = bool(missing) or facts is None
        if missing or facts is None:
            clip = decode(ref, self._spec)
            entries |= self._encode(clip, digest, missing)
            facts = _facts(clip, fingerprint(clip, self._spec.color))
            self._cache.write(facts_key, facts)
        taken = Fingerprint(ref, facts["digest"].tobytes().decode(), facts["pictures"])
        return ReadClip(Clip(ref, _NO_FRAMES, facts["timestamps_ns"]), entries, taken, is_new)

    def is_on_disk(self, ref: ClipRef, digest: str) -> bool:
        """Return whether there are files of a clip, whole ones or damaged ones; arguments are those of `read`."""
        keys = [*self._keys(ref, digest).values(), self._facts_key(digest)]
        return all(self._cache.has(key) for key in keys)

    def _facts_key(self, digest: str) -> str:
        return key_of({"clip": digest, "input": to_json(self._spec)})

    def _keys(self, ref: ClipRef, digest: str) -> dict[Way, str]:
        return {
            (stream, precision): entry_key(
                self._plans[precision],
                clip=digest,
                label=str(ref.label),
                encoder=encoder.digest,
                stream=stream,
                precision=precision,
            )
            for (stream, precision), encoder in self._encoders.items()
        }

    def _encode(self, clip: Clip, digest: str, keys: Mapping[Way, str]) -> dict[Way, Mapping[str, Array]]:
        made: dict[Way, Mapping[str, Array]] = {}
        for precision, plan in self._plans.items():
            opened = {way: self._encoders[way].opened for way in keys if way[1] == precision}
            for way, entry in encode_clip(clip, digest, plan, opened).items():
                self._cache.write(keys[way], entry)
                made[way] = entry
        return made


def read_entries(cache: FeatureCache, keys: Mapping[Way, str]) -> dict[Way, Mapping[str, Array]]:
    """Return the entries of a cache that are there."""
    read = {way: cache.read(key) for way, key in keys.items()}
    return {way: entry for way, entry in read.items() if entry is not None}


def _facts(clip: Clip, taken: Fingerprint) -> dict[str, Array]:
    digest = np.frombuffer(taken.digest.encode(), np.uint8)
    return {"digest": digest, "pictures": taken.pictures, "timestamps_ns": clip.timestamps_ns}
