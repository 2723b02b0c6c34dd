"""The fixed bundles of edgevid's reference suite, version 1.

Their weights are drawn from a seed, except for those of `gestures`: weights do not change the time of an answer.
`scripts/make_reference.py` of edgevid's repository makes them.
"""
