"""Switch a pin on while a gesture lasts: a lamp, a relay, a door opener.

Buy: a Raspberry Pi with a camera; an LED with a 330 ohm resistor, or a relay board, between GPIO 17 and ground.
Install: pip install 'edgevid[opencv]' gpiozero lgpio
Run: python gpio_pin.py wave --source picamera2
Without a Pi: GPIOZERO_PIN_FACTORY=mock python gpio_pin.py swipe_up --source synthetic:3 --max-frames 300
"""

import argparse

import gpiozero

import edgevid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("label", help="the class that switches the pin on")
parser.add_argument("--bundle", default=edgevid.DEMO, help="an .edgevid file (default: the gestures that ship)")
parser.add_argument("--source", default="picamera2", help="picamera2, v4l2:0, rtsp://…, a video file, synthetic")
parser.add_argument("--pin", type=int, default=17, help="GPIO number (default: 17)")
parser.add_argument("--max-frames", type=int, help="stop after so many frames (default: never)")
args = parser.parse_args()

lamp = gpiozero.DigitalOutputDevice(args.pin)
# started=True yields the start of an event as soon as it is sure to count, so that the lamp does not wait for its end.
for event in edgevid.load(args.bundle).events(args.source, started=True, max_frames=args.max_frames):
    if event.label == args.label:
        lamp.value = not event.ended
        print(f"{'off' if event.ended else 'on'}: {event.label} since {event.start_s:.1f} s")
