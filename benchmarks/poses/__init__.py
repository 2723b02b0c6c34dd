"""Key points in place of pictures: what they teach, and what they cost."""
