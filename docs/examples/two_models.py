"""Run two models on one camera. Each frame is read once, and prepared once where both want it alike.

Buy: a Raspberry Pi 4 or 5 with a camera.
Install: pip install 'edgevid[opencv,mqtt,web]'
Run: python two_models.py gestures.edgevid falls.edgevid --source picamera2 --mqtt mqtt://broker.local
"""

import argparse

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("bundles", nargs=2, help="two .edgevid files with different names")
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--mqtt", help="publish there as well")
parser.add_argument("--page", help="serve the live page, as localhost:8080")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()


def announce(event: edgevid.Event) -> None:
    """Called in a thread of its own: it may be slow, and never holds up the models."""
    print(f"{event.model}: {event.label}, {event.start_s:.1f} s to {event.end_s:.1f} s")


outputs = [announce]
if args.mqtt:
    outputs.append(edgevid.Mqtt(args.mqtt))
if args.page:
    outputs.append(edgevid.Page(args.page))
models = [edgevid.load(bundle) for bundle in args.bundles]
telemetry = edgevid.run(models, source=args.source, outputs=outputs, max_frames=args.max_frames)
for name, each in telemetry.items():
    print(f"{name}: {each.events} events in {each.seen} frames, p99 age {each.age.latency().p99_ms:.1f} ms")
