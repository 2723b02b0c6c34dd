"""Measure: fresh processes one after another, and the machine watched beside them."""
