"""Delivery to receivers that may be slow or absent, each in a thread of its own."""
