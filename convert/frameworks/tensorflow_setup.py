"""Import and configure TensorFlow, without its start-up log on the terminal.

Since 2.17 TensorFlow logs a dozen lines before it reads its own log level (tensorflow#62075). They bypass Python's
`sys.stderr`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Buffer standard error during the block, and print it only if the block raises.

    Yields:
        Nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as buffer:
        # TensorFlow writes to the file descriptor from C++.
        saved = os.dup(2)
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        except BaseException:
            buffer.seek(0)
            os.write(saved, buffer.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def use_onednn() -> None:
    """Let TensorFlow use oneDNN on every x86 processor. Call it before TensorFlow is imported.

    By default TensorFlow only does so on processors with AVX512-VNNI or the like. Without oneDNN it rejects layers with
    channels first on a CPU, so a model file would convert on one workstation and fail on the next.

    Source: tensorflow/core/util/util.cc, IsMKLEnabled (TensorFlow 2.21).
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Import TensorFlow and Keras quietly and switch the graph remapper off. Later imports find them loaded."""
    use_onednn()
    with quiet_start():
        import keras  # noqa: F401
        import tensorflow as tf

        # The first use of a device logs the lines that the import did not.
        tf.config.list_physical_devices()
        tf.constant(0.0)
    # The remapper of TensorFlow 2.21 changes answers. Probabilities of graph and eager execution differed by up to 1.0
    # with it and by nothing without it (a trained CNN with a stack of bidirectional LSTMs, Keras 3.8, float32, CPU).
    # The float model is the reference of every proof. Remove this when a release gives equal answers in
    # tests/convert/verification/test_reference.py.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def run_graphs_as_they_are() -> None:
    """Switch off TensorFlow's graph rewriting from here on, for graphs that run a few hundred times only.

    They took 2.9 s of the first call of an LSTM over 16 frames of MobileNetV2. Later calls were as quick without them
    (x86, TensorFlow 2.21). Training keeps them on.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
