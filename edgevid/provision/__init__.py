"""From a deployment to a card that boots into a classifier, and to models that can be changed on a device without bricking it.

`flash` prepares a card, `slots` keeps two bundles on a device, `remote` brings a bundle there. Facts, choices and templates are data in
`firmware_configs`.
"""
