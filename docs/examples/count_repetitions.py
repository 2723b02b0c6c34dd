"""Count repetitions, such as squats, by the phases of the movement.

Buy: a Raspberry Pi with a camera, or use a video file.
Install: pip install 'edgevid[opencv]'
Run: python count_repetitions.py squats.edgevid up down --source workout.mp4
"""

import argparse

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("bundle", nargs="?", default=edgevid.DEMO, help="an .edgevid file (default: the demo's gestures)")
parser.add_argument("phases", nargs="*", help="classes in their order, or one that rises and falls (default: swipe_up)")
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--shortest", type=float, default=0.4, help="leave out what lasts less, in seconds (default: 0.4)")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()

decisions = edgevid.load(args.bundle).watch(args.source, max_frames=args.max_frames)
number = 0
for repetition in edgevid.count(decisions, *(args.phases or ["swipe_up"]), shortest_s=args.shortest):
    number = repetition.number
    seconds = repetition.end_s - repetition.start_s
    print(f"{repetition.end_s:7.1f} s  {repetition.name} number {number}, {seconds:.1f} s long")
print(f"{number} counted")
