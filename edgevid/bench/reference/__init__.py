"""The reference suite: five fixed bundles and one stream with truth, measured alike on every board."""
