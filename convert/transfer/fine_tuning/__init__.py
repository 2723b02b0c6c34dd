"""Fine-tuning: the last blocks of an encoder are trained with the head that was fitted to it.

maps       windows of each clip as they enter the last blocks, once              maps
train      last blocks and head together, for a number of epochs                 networks
choose     that number, on a share of the clips; then train on all of them       tune
measure    held-out folds, and what they gained over the frozen encoder          fine_tune
"""
