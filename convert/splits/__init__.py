"""Which clips are trained on, and which are held out: groups, folds, stated splits, and copies that would leak."""
