"""Supervision of the loop: detect a hang, adjust the pace, report to systemd."""
