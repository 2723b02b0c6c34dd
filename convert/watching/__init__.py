"""Scores of models and bundles over long recordings, on the frames that the device takes."""
