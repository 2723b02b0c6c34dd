"""Save a video clip of each event, from 3 s before it to 3 s after it, with its facts as JSON.

Buy: a Raspberry Pi with a camera, and a card or disk with room for the clips.
Install: pip install 'edgevid[opencv]'
Run: python save_clips.py action.edgevid --source picamera2 --folder clips
"""

import argparse
from pathlib import Path

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "bundle", nargs="?", default=edgevid.DEMO, help="an .edgevid file (default: the gestures that ship)"
)
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--folder", type=Path, default=Path("clips"), help="where the clips go (default: clips)")
parser.add_argument("--mib", type=int, default=1024, help="room for them; the oldest are deleted (default: 1024)")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()

model = edgevid.load(args.bundle)
edgevid.run(
    model, source=args.source, outputs=[edgevid.Clips(args.folder, mib=args.mib), print], max_frames=args.max_frames
)
for clip in sorted(args.folder.glob("*.avi")):
    print(clip)
