"""Count repetitions, such as squats: one for each event of a class.

Buy: a Raspberry Pi with a camera, or use a video file.
Install: pip install 'edgevid[opencv]'
Run: python count_repetitions.py squats.edgevid --source workout.mp4
"""

import argparse
from collections import Counter

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "bundle", nargs="?", default=edgevid.DEMO, help="an .edgevid file (default: the gestures that ship)"
)
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--shortest", type=float, default=0.5, help="leave out what lasts less, in seconds (default: 0.5)")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()

counts: Counter[str] = Counter()
for event in edgevid.load(args.bundle).events(args.source, max_frames=args.max_frames):
    duration_s = event.end_s - event.start_s
    if duration_s >= args.shortest:
        counts[event.label] += 1
        print(f"{event.end_s:7.1f} s  {event.label} number {counts[event.label]}, {duration_s:.1f} s long")
print(", ".join(f"{label}: {count}" for label, count in counts.most_common()) or "nothing counted")
