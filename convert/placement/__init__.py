"""Report which operators of a part run on a delegate: XNNPACK's kernels, the Edge TPU."""
