"""Updates of the bundle on a device: two slots, a trial period, and deployment over ssh."""
