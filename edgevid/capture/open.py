"""Open the source that an address such as `picamera2:0` or `clip.mp4` names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote, urlsplit

from edgevid.bundle.manifest import Manifest
from edgevid.capture.address import SCHEMES, split_options
from edgevid.capture.oriented import oriented
from edgevid.capture.source import Source
from edgevid.errors import UsageError
from edgevid.frames import Color
from edgevid.frames.orientation import UPRIGHT, Flip, Orientation, Rotation
from edgevid.redaction import public_address

Policy = Literal["live", "file"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
SOURCES_HELP = (
    "picamera2[:N] for a CSI camera, v4l2:DEVICE for a USB camera, an rtsp:// or http:// stream, "
    "a video FILE (.mp4 .mov .avi .mkv and others that FFmpeg reads), a DIR of pictures, "
    "replay:FILE for a recording at its own pace, a .npy FILE of features, or 'synthetic[:SEED]'; "
    "cameras take options, such as v4l2:0?size=1280x720&fps=30"
)
# A V4L2 device or its number, without the kind in front.
_DEVICE = re.compile(r"(/dev/video)?[0-9]+(\?.*)?")
# The ISP can squeeze and cut around the centre, but adds no bars. For "letterbox", and for a region,
# it delivers a whole picture of this size.
_WHOLE_PX = (640, 480)


def open_source(
    text: str,
    manifest: Manifest,
    *,
    policy: Policy | None = None,
    rotate: Rotation = 0,
    flip: Flip = "none",
    is_cut: bool = False,
    has_keypoints: bool = False,
) -> Source:
    """Open a source by its address.

    Args:
        text: An address as for `edgevid run --source`, such as "picamera2:0", "rtsp://…" or
            "clip.mp4".
        manifest: Manifest of the model. It defines the size of synthetic frames and of a CSI
            camera's, and the interval of pictures and feature rows.
        policy: "live" plays a file or the synthetic stream at its own pace, as a camera would.
            "file" delivers a recording as fast as it is read. None selects the source's own.
        rotate: Degrees clockwise by which pictures are turned: 0, 90, 180 or 270.
        flip: "horizontal" swaps left and right after that, "vertical" top and bottom, "both" does
            both; "none" neither.
        is_cut: Whether the model will see a region of the pictures. A CSI camera delivers whole
            pictures of 640x480 then, instead of some of the model's size.
        has_keypoints: Whether a model of features gets the key points of pictures.

    Returns:
        An open source, to be used in a `with`.

    Raises:
        UsageError: The file or device is missing, the address is of no known kind, or features
            should be turned.
        SourceError: The source exists but cannot be read.
    """
    orientation = Orientation(rotate=rotate, flip=flip)
    if manifest.input.kind == "features" and not has_keypoints and not orientation.is_upright:
        raise UsageError(expected="pictures to rotate or flip", found="a model of features")
    text = _plain(text)
    kind, colon, rest = text.partition(":")
    # A file wins over a kind, so a clip may be called "synthetic" or "replay:1.avi".
    if kind in (*_KINDS, "picamera2") and (colon or kind in _KINDS_ALONE) and not _exists(text):
        where = text if rest.startswith("//") else rest
        source = _open_kind(kind, where, manifest, orientation, is_cut=is_cut or has_keypoints)
    else:
        kind, source = "", oriented(_open_path(text, manifest), orientation)
    wanted = policy or ("live" if kind == "replay" else None)
    return _paced(source) if wanted == "live" and not source.live else source


def _plain(text: str) -> str:
    """Return the address for a device, its number, or a file's URL."""
    if _exists(text):
        return f"v4l2:{text}" if Path(text).is_char_device() and _DEVICE.fullmatch(text) else text
    if _DEVICE.fullmatch(text):
        return f"v4l2:{text}"
    return unquote(urlsplit(text).path) if text.startswith("file://") else text


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    # An address may be too long for a file name, or contain a byte that none can.
    except (OSError, ValueError):
        return False


def _open_kind(kind: str, where: str, manifest: Manifest, orientation: Orientation, *, is_cut: bool) -> Source:
    if kind != "picamera2":
        return oriented(_KINDS[kind](where, manifest), orientation)
    # The ISP flips at no cost. Only a quarter turn is left to the processor.
    left = orientation if orientation.is_quarter else UPRIGHT
    return oriented(_picamera2(where, manifest, orientation, is_whole=is_cut), left)


def _open_path(text: str, manifest: Manifest) -> Source:
    path = Path(text)
    if not _exists(text):
        if path.suffix and ":" not in text:
            raise UsageError(expected="an existing file for --source", found=f"none at {text}", path=path)
        # A mistyped scheme leaves a password in the text.
        shown = public_address(text) if set(text) & set("@?#") or "//" in text else text
        raise UsageError(expected=f"a source: {SOURCES_HELP}", found=f"{shown!r}, which is none of these")
    if path.is_fifo():
        return _pipe(path)
    if not path.is_file() and not path.is_dir():
        raise UsageError(expected="a file or folder for --source", found=f"{text}, which is a device or socket")
    if path.is_dir():
        return _pictures(path, manifest)
    return _features(path, manifest) if path.suffix.lower() == ".npy" else _video(path)


def _paced(source: Source) -> Source:
    from edgevid.capture.paced import PacedSource

    return PacedSource(source)


def _pictures(path: Path, manifest: Manifest) -> Source:
    from edgevid.capture.video_files import PictureFolder

    return PictureFolder(path, interval_s=manifest.window.interval_s)


def _features(path: Path, manifest: Manifest) -> Source:
    from edgevid.capture.features import FeatureFile

    return FeatureFile(path, interval_s=manifest.window.interval_s)


def _video(path: Path) -> Source:
    from edgevid.capture.video_files import VideoFile

    return VideoFile(path)


def _pipe(path: Path) -> Source:
    from edgevid.capture.video_files import Pipe

    return Pipe(path)


def _replay(path: str, _manifest: Manifest) -> Source:
    from edgevid.capture.recording import Recording

    return Recording(path)


def _stream(url: str, _manifest: Manifest) -> Source:
    from edgevid.capture.network import open_stream

    return open_stream(url)


def _v4l2(text: str, _manifest: Manifest) -> Source:
    from edgevid.capture.v4l2 import OPTIONS, V4l2Camera

    device, options = split_options(text, OPTIONS)
    return V4l2Camera(device, options)


def _picamera2(text: str, manifest: Manifest, orientation: Orientation, *, is_whole: bool) -> Source:
    from edgevid.capture.picamera import OPTIONS, PiCamera

    number, options = split_options(text, OPTIONS)
    if number and not number.isdecimal():
        raise UsageError(expected="picamera2:N with the number of a camera", got=number)
    spec = manifest.input
    # With key points, whole pictures.
    if spec.kind == "features" and not is_whole:
        raise UsageError(
            expected="a source of feature vectors for this model, or --keypoints", found="a camera without them"
        )
    if not orientation.is_upright and {"hflip", "vflip"} & options.keys():
        raise UsageError(
            expected="either --rotate and --flip, or hflip and vflip in the address", got=text, found="both"
        )
    is_whole = is_whole or spec.resize == "letterbox"
    size_px = _WHOLE_PX if is_whole else (spec.width, spec.height)
    if orientation.is_quarter:
        # Turned, the picture has the model's size.
        size_px = size_px[::-1]
    elif not orientation.is_upright:
        options["hflip"], options["vflip"] = orientation.flips
    color: Color = "bgr" if spec.color == "bgr" else "rgb"
    return PiCamera(
        int(number or 0),
        size_px=size_px,
        color=color,
        keep_aspect=is_whole or spec.resize != "stretch",
        options=options,
    )


def _synthetic(seed: str, manifest: Manifest) -> Source:
    from edgevid.capture.synthetic import GestureSource

    if seed and not seed.isdecimal():
        raise UsageError(expected="synthetic:SEED with a whole number", got=seed)
    return GestureSource(seed=int(seed or 0), height_px=manifest.input.height, width_px=manifest.input.width)


_KINDS: Mapping[str, Callable[[str, Manifest], Source]] = {
    "v4l2": _v4l2,
    **dict.fromkeys(SCHEMES, _stream),
    "replay": _replay,
    "synthetic": _synthetic,
}
# Kinds that need nothing after their name.
_KINDS_ALONE = ("picamera2", "synthetic")
