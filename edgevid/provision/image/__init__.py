"""A whole flashable image of Debian packages, written without root, loop devices or mounts.

`recipe` lists the packages, `debian_base` bootstraps them once into a tar, and `contents` adds the
deployment's files with `tar_tree`. `initrd` and `disk` make the rest. Start with `assemble`.
"""
