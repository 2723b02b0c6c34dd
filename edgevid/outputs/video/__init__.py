"""JPEG pictures for the live page, and a video clip of each event."""
