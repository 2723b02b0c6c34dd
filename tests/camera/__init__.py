"""Real cameras' software without a camera: a machine in QEMU with Debian's kernel, whose `vivid` is a V4L2 camera and whose libcamera has a virtual one."""
