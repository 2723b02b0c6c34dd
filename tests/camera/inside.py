"""The inner half of the camera tests, which runs in the emulated machine.

    inside.py CHECK FOLDER

It runs one check and writes its observations to CHECK.json, and the frames that the model saw to
CHECK.npz. The outer half, test_camera.py, evaluates them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

DEVICE = "/dev/video0"
CARD = Path("/dev/sda")
DRIVER = Path("/sys/bus/platform/drivers/vivid")
BUNDLE = Path("/app/edgevid/data/gestures.edgevid")


class Keeper:
    """An output that keeps each frame and each answer of the loop."""

    def __init__(self, limit: int = 200) -> None:
        self.frames: list[np.ndarray] = []
        self.stamps_ns: list[int] = []
        self.color = ""
        self.answers: list[dict] = []
        self._limit = limit

    def saw(self, frame) -> None:
        if len(self.frames) < self._limit:
            self.frames.append(frame.data.copy())
            self.stamps_ns.append(frame.timestamp_ns)
            self.color = frame.color

    def decided(self, decision) -> None:
        self.answers.append(
            {
                "t_s": decision.t_s,
                "label": decision.label,
                "scores": list(decision.probabilities),
                "age_ms": decision.age_ms,
            }
        )

    def started(self, _event) -> None:
        """Not kept."""

    def ended(self, _event) -> None:
        """Not kept."""

    def close(self) -> None:
        """Hold nothing."""


class Evenly:
    """A source that replays kept frames at a fixed interval."""

    live = False
    reopens = False
    name = "kept"

    def __init__(self, keeper: Keeper, interval_s: float) -> None:
        self._keeper, self._interval_s = keeper, interval_s

    def frames(self):
        from edgevid.frames import Frame

        for index, picture in enumerate(self._keeper.frames):
            yield Frame(picture, self._keeper.color, round(index * self._interval_s * 1e9), index)

    def release(self, _frame) -> None:
        """The frames are copies: no buffer to release."""


def look(source_text: str, *, max_frames: int, folder: Path, name: str) -> dict:
    """Run the shipped model on a camera and return all observations."""
    from edgevid import bundle
    from edgevid.capture import open_source
    from edgevid.inference.engine import Engine
    from edgevid.pipeline import Pipeline

    model, keeper = bundle.read(BUNDLE), Keeper(max_frames)
    with open_source(source_text, model.manifest) as source:
        telemetry = Pipeline(Engine(model), source, [keeper], taps=[keeper]).run(max_frames=max_frames)
        result = {"name": source.name, "time_base": source.time_base}
    return {
        **result,
        "live_answers": len(keeper.answers),
        "answers": answers(keeper, folder, name),
        "telemetry": telemetry.as_json(),
    }


def answers(keeper: Keeper, folder: Path, name: str) -> list[dict]:
    """Save the kept frames, and run the model on them without the camera's pace, too fast for an emulated processor."""
    from edgevid import bundle
    from edgevid.inference.engine import Engine
    from edgevid.pipeline import Pipeline

    np.savez(
        folder / f"{name}.npz", frames=np.stack(keeper.frames), stamps_ns=np.array(keeper.stamps_ns), color=keeper.color
    )
    model, again = bundle.read(BUNDLE), Keeper(0)
    Pipeline(Engine(model), Evenly(keeper, model.manifest.window.interval_s), [again]).run()
    return again.answers


def v4l2(folder: Path) -> dict:
    return look(f"v4l2:{DEVICE}?size=320x180&fps=25", max_frames=90, folder=folder, name="v4l2")


class Counted:
    """OpenCV's capture with a count of calls."""

    def __init__(self, capture) -> None:
        self.grabbed = self.retrieved = 0
        self._capture, self.get, self.release = capture, capture.get, capture.release

    def grab(self) -> bool:
        self.grabbed += 1
        return self._capture.grab()

    def retrieve(self, buffer):
        self.retrieved += 1
        return self._capture.retrieve(buffer)


def thrift(_folder: Path) -> dict:
    """Read the camera twice: decode every frame, then only those that are due for a model of seven frames a second."""
    from edgevid.capture.address import split_options
    from edgevid.capture.v4l2 import OPTIONS, V4l2Camera
    from edgevid.frames.sampling import IntervalSampler

    found = {}
    for name, choosy in (("every", False), ("due", True)):
        device, options = split_options(f"{DEVICE}?size=640x360&fps=25", OPTIONS)
        with V4l2Camera(device, options) as camera:
            sampler, given = IntervalSampler(0.15), []
            camera._capture = counted = Counted(camera._capture)
            if choosy:
                camera.wanted = sampler.wants
            before_s = time.process_time()
            for frame in camera.frames():
                sampler.offer(frame.timestamp_ns)
                given.append((frame.index, frame.timestamp_ns))
                camera.release(frame)
                if counted.grabbed >= 75:
                    break
            used_s = time.process_time() - before_s
        found[name] = {
            "processor_s": round(used_s, 3),
            "grabbed": counted.grabbed,
            "retrieved": counted.retrieved,
            "given": given,
            "time_base": camera.time_base,
        }
    return found


def unplug(_folder: Path) -> dict:
    """Unbind the driver of a running camera, as if its cable were pulled, and bind it again."""
    from edgevid import bundle
    from edgevid.capture import open_source
    from edgevid.inference.engine import Engine
    from edgevid.pipeline import Pipeline

    model = bundle.read(BUNDLE)
    moments: dict[str, float] = {}
    with open_source(f"v4l2:{DEVICE}?size=320x180", model.manifest) as source:
        pipeline = Pipeline(Engine(model), source, stall_s=5.0)

        def wait(name: str, what) -> None:
            started = time.monotonic()
            while not what() and time.monotonic() - started < 30:
                time.sleep(0.02)
            moments[name] = round(time.monotonic() - started, 2)

        def pull() -> None:
            telemetry = pipeline.telemetry
            wait("first_frames_s", lambda: telemetry.seen >= 20)
            moments["seen_before"] = telemetry.seen
            device = next(each.name for each in DRIVER.iterdir() if each.name.startswith("vivid."))
            (DRIVER / "unbind").write_text(device)
            wait("noticed_s", lambda: not pipeline._feed.connected)
            moments["device_gone"] = not Path(DEVICE).exists()
            time.sleep(1.0)
            (DRIVER / "bind").write_text(device)
            wait("back_s", lambda: telemetry.reconnects > 0)
            seen = telemetry.seen
            wait("frames_again_s", lambda: telemetry.seen >= seen + 20)
            moments["seen_after"] = telemetry.seen - seen
            pipeline.stop()

        thread = threading.Thread(target=pull)
        thread.start()
        telemetry = pipeline.run()
        thread.join()
    return {"moments": moments, "telemetry": telemetry.as_json()}


def picamera(folder: Path) -> dict:
    shim_picamera2()
    from edgevid import bundle
    from edgevid.capture import open_source
    from edgevid.capture.feeds.live_feed import LiveFeed

    keeper = Keeper(28)
    # libcamera draws its bars on the emulated processor, so the model runs after the camera is closed.
    with open_source("picamera2:0?size=640x480&format=NV12&fps=30", bundle.read(BUNDLE).manifest) as source:
        frames = LiveFeed(source, stall_s=30).frames()
        for _ in range(28):
            keeper.saw(next(frames))
        frames.close()
        found = {"name": source.name, "time_base": source.time_base}
    return {**found, "answers": answers(keeper, folder, "picamera")}


# Settings of a camera, and the row stride in bytes, with the padding of a Raspberry Pi's ISP.
SETTINGS = {
    "rgb": ({"size_px": (112, 112), "color": "rgb", "options": {"fps": 30.0}}, 384),
    "bgr": (
        {
            "size_px": (160, 120),
            "color": "bgr",
            "keep_aspect": False,
            "options": {"hflip": True, "exposure_us": 8000.0},
        },
        480,
    ),
    "yuv": (
        {
            "size_px": (112, 112),
            "color": "rgb",
            "options": {"format": "YUV420", "vflip": True, "gain": 2.0, "fps": 15.0},
        },
        128,
    ),
    "nv12": ({"size_px": (128, 96), "color": "bgr", "options": {"format": "NV12"}}, 192),
}


def settings(folder: Path) -> dict:
    """Pass our source's settings through picamera2's own code, as far as it works without an ISP, and unpad rows."""
    shim_picamera2()
    from edgevid.capture import picamera as ours

    with ours.PiCamera(0, size_px=(640, 480), options={"format": "NV12"}) as opened:
        camera = opened._camera
        camera.stop()
        found, pictures = {}, {}
        for name, (arguments, stride) in SETTINGS.items():
            source, asked = asked_of(camera, arguments)
            size_px, form = arguments["size_px"], asked[source._stream]["format"]
            rows = size_px[1] if form in ("RGB888", "BGR888") else size_px[1] * 3 // 2
            memory = np.random.default_rng(stride).integers(0, 256, rows * stride, np.uint8)
            out = np.zeros((size_px[1], size_px[0], 3), np.uint8)
            source._copier()(
                camera.helpers._make_array_shared(memory, {"format": form, "size": size_px, "stride": stride}), out
            )
            pictures[name] = out
            found[name] = {"stream": source._stream, **asked}
    np.savez(folder / "settings.npz", **pictures)
    found["refused"] = refused(camera)
    return found


def asked_of(camera, arguments: dict) -> tuple:
    """Let our source configure a stand-in, which calls the real picamera2 for all but the last step."""
    from edgevid.capture import picamera as ours

    asked: dict = {}

    class Asked:
        def create_video_configuration(self, **words):
            self.made = camera.create_video_configuration(**words)
            return self.made

        def configure(self, made) -> None:
            camera.check_camera_config(made)
            streams = camera._make_libcamera_config(made)
            asked["formats"] = [str(streams.at(index).pixel_format) for index in range(streams.size)]
            asked["sizes"] = [
                [streams.at(index).size.width, streams.at(index).size.height] for index in range(streams.size)
            ]

        def camera_configuration(self) -> dict:
            return self.made

    class Source(ours.PiCamera):
        def _open(self):
            stand_in = Asked()
            self._configure(stand_in)
            for name in ("main", "lores"):
                asked[name] = stand_in.made[name]
            asked["controls"] = {
                key: list(value) if isinstance(value, tuple) else float(value)
                for key, value in stand_in.made["controls"].items()
            }
            asked["flips"] = [stand_in.made["transform"].hflip, stand_in.made["transform"].vflip]
            asked["buffer_count"] = stand_in.made["buffer_count"]
            return stand_in

    return Source(0, **arguments), asked


def refused(_camera) -> dict:
    """Return the errors for an unknown format, an odd size, which picamera2 makes even, and an unknown control."""
    from edgevid.capture import picamera as ours
    from edgevid.errors import SourceError

    said = {}
    for name, options in {
        "format": {"format": "BGR888"},
        "odd size": {"format": "NV12", "size": (321, 241)},
        "control": {"format": "NV12", "gain": 2.0},
    }.items():
        try:
            ours.PiCamera(0, size_px=(640, 480), options=options).close()
            said[name] = ""
        except SourceError as error:
            said[name] = str(error)
    return said


def stuck(_folder: Path) -> dict:
    """Kill picamera2's thread, after which its wait for a frame would never end."""
    shim_picamera2()
    from edgevid.capture import picamera as ours
    from edgevid.capture.feeds.live_feed import LiveFeed

    ours.TIMEOUT_S = 1.0
    camera = ours.PiCamera(0, size_px=(640, 480), options={"format": "NV12"})
    feed = LiveFeed(camera, stall_s=20)
    frames = feed.frames()
    next(frames)

    def dies(*_args: object) -> None:
        raise KeyError("a request that nobody knows")

    camera._camera.process_requests = dies
    started = time.monotonic()
    index = [next(frames).index for _ in range(4)]
    found = {"again_after_s": round(time.monotonic() - started, 2), "reconnects": feed.reconnects, "indices": index}
    frames.close()
    return found


def command(folder: Path) -> dict:
    """Run the command as a user does."""
    words = [
        "run",
        str(BUNDLE),
        "--source",
        f"v4l2:{DEVICE}?size=320x180",
        "--json",
        "--max-frames",
        "60",
        "--record",
        str(folder / "seen.avi"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "edgevid.cli", *words], capture_output=True, text=True, timeout=200, check=False
    )
    return {"returncode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def flash(folder: Path) -> dict:
    """Flash the card in the USB reader, and collect the errors for targets that must not be written."""
    from edgevid.errors import EdgevidError
    from edgevid.provision import deployment, target
    from edgevid.provision import flash as flashing

    def refusal(device: str) -> str:
        try:
            target.open_target(Path(device))
        except EdgevidError as error:
            return str(error)
        return ""

    facts = {name: Path(f"/sys/class/block/{CARD.name}/{name}").read_text().strip() for name in ("removable", "size")}
    subprocess.run(["mount", "-t", "vfat", f"{CARD}1", "/mnt"], check=True)
    refused = {"mounted": refusal(str(CARD))}
    subprocess.run(["umount", "/mnt"], check=True)
    refused |= {
        "partition": refusal(f"{CARD}1"),
        "its own root": refusal("/dev/vda"),
        "another disk of its own": refusal("/dev/vdb"),
    }
    goal = target.open_target(CARD)
    house = Path("/app/house")
    with flashing.plan(
        deployment.read(Path("/app/device.toml")), goal, wheelhouse=house, lock=house / "lock.txt"
    ) as made:
        flashing.write(made)
        files = {path: hashlib.sha256(source.read_bytes()).hexdigest() for path, source in made.files.items()}
    return {"facts": facts, "refused": refused, "what": goal.what, "release": made.system.release, "files": files}


def shim_picamera2() -> None:
    """Let the real picamera2 work on libcamera's virtual camera.

    Two modules without a package are only for previews and DNG files. In Debian's libcamera 0.4.0 the virtual
    camera has no raw role and no memory from Raspberry Pi's allocator, and the length of a frame is unset. A Pi has
    all three.
    """
    for name in ("pykms", "pidng", "pidng.camdefs", "pidng.core"):
        sys.modules[name] = MagicMock()
    import mmap

    import picamera2
    import picamera2.picamera2 as module
    from picamera2.allocators import LibcameraAllocator
    from picamera2.allocators import allocator as allocators

    class Virtual(picamera2.Picamera2):
        def __init__(self, number: int) -> None:
            memory = LibcameraAllocator(None)
            super().__init__(number, allocator=memory)
            memory.camera = self.camera

        def _get_raw_modes(self) -> list[dict]:
            return [{"format": "NV12", "size": (640, 480)}]

    def map_planes(self) -> mmap.mmap:
        planes = self._Sync__fb.planes
        self._Sync__mm = mmap.mmap(
            planes[0].fd, sum(plane.length for plane in planes), mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
        )
        return self._Sync__mm

    allocators.Sync.__enter__ = map_planes
    picamera2.Picamera2 = Virtual
    module.DmaAllocator = lambda: LibcameraAllocator(None)  # made when a camera is closed


def main() -> None:
    check, folder = sys.argv[1], Path(sys.argv[2])
    try:
        found = globals()[check](folder)
    except BaseException:  # noqa: BLE001  # the outer half reports it
        found = {"error": traceback.format_exc()}
        traceback.print_exc()
    (folder / f"{check}.json").write_text(json.dumps(found))
    sys.stdout.flush()
    # Exit even if a thread of the camera hangs.
    __import__("os")._exit(0)


if __name__ == "__main__":
    main()
