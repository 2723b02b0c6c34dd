"""The commands that prepare a device: a card, an image, a service."""
