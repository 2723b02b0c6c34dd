"""The live page: the camera's video, the model's answers, and the state of the device."""
