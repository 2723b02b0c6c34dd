"""Classify what a camera sees, and print it. The smallest complete program.

Buy: a Raspberry Pi 3B or newer (64-bit Raspberry Pi OS) and a CSI or USB camera; or nothing, with --source synthetic.
Install: pip install 'edgevid[opencv]', and for a CSI camera: sudo apt install python3-picamera2
Run: python camera.py action.edgevid --source picamera2
"""

import argparse

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "bundle", nargs="?", default=edgevid.DEMO, help="an .edgevid file (default: the gestures that ship)"
)
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()

model = edgevid.load(args.bundle)
print(model)
for decision in model.watch(args.source, max_frames=args.max_frames):
    print(f"{decision.t_s:8.2f} s  {decision.label:<12} {decision.score:.2f}")
    for event in decision.events:
        print(f"          event: {event.label}, {event.start_s:.1f} s to {event.end_s:.1f} s")
