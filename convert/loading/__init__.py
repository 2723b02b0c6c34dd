"""Loads model files of Keras 2 and 3 (HDF5, `.keras`, SavedModel) and repairs what older versions wrote."""
