"""A whole flashable image of Debian packages, written without root, loop devices or mounts.

`recipe` is what the image is made of, `base` bootstraps Debian once and keeps it as a tar, `tree` lays files over a tar, `initrd` and
`disk` make the rest, `contents` is what a deployment adds. `assemble` reads from top to bottom.
"""
