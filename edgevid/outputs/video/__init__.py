"""Pictures for the page, and a video clip of each event."""
