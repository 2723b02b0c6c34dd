"""Tests of camera software without a camera, in a QEMU machine with Debian's kernel.

The kernel's `vivid` is a V4L2 camera, and libcamera has a virtual camera for picamera2. Run them with

    make test-camera

It needs root and takes minutes. A missing tool is reported with the command that installs it.
"""
