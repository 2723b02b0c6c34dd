"""Watch over the loop: signs of life, pace, and the way to systemd."""
