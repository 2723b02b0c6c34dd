"""Draw a hand that makes gestures before a background: video whose truth is known."""
