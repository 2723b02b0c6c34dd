"""Read model files of Keras 2 and 3: HDF5, `.keras` and SavedModel, with the repairs that old files need."""
