"""Transfer learning: a head that learns from the features of a frozen, pretrained encoder.

encode        windows of each clip as features, once; kept on disk          encoding, compiled, cache, library
choose        streams and head by inner folds                               candidates
measure       held-out folds, which took no part in any choice              cross_validation
fit           the head, on all clips and the features that int8 gives       heads, learn
assemble      encoder and head into one Keras model                         streams, learn
"""
