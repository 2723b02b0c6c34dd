"""The commands about key points."""
