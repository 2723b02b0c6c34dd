"""Provisioning: from a deployment file to a card, an image or an installed service.

`flash` prepares a card with Raspberry Pi OS, `image` builds a whole image from Debian packages, and
`service` installs on a device that already runs. Facts about boards and cameras, and the templates
of every file that a device gets, are data in `firmware_configs`.
"""
