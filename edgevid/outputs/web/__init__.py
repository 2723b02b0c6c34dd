"""The live page: what the camera sees, what the model says of it, and how the device is."""
