"""Keep TensorFlow's start-up chatter off the terminal without losing an error.

Since 2.17 TensorFlow logs a dozen lines before its own log level is read (tensorflow#62075); they go past Python's `sys.stderr`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what is written to standard error; give it out if the block fails.

    Yields:
        Nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def use_onednn() -> None:
    """Have TensorFlow use oneDNN on every x86 processor. Call it before TensorFlow is imported.

    By default it does so only where the processor has AVX512-VNNI or the like. Without oneDNN it refuses layers with channels first on a CPU, so
    that the same model file would convert on one workstation and not on the next.

    Source: tensorflow/core/util/util.cc, IsMKLEnabled (TensorFlow 2.21).
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Import TensorFlow and Keras quietly, without the graph remapper; later imports find them loaded.

    The remapper of TensorFlow 2.21 changes answers: on a trained CNN with a stack of bidirectional LSTMs (Keras 3.8, float32, CPU) a graph's
    probabilities differed from eager execution's by up to 1.0, and by nothing once it was off. The float model is the measure of everything
    here, so it has to be right before it is fast. Remove when a release gives equal answers in `tests/convert/verification/test_reference.py`.
    """
    use_onednn()
    with quiet_start():
        import keras  # noqa: F401
        import tensorflow as tf

        # The first use of a device writes what the import did not.
        tf.config.list_physical_devices()
        tf.constant(0.0)
    tf.config.optimizer.set_experimental_options({"remapping": False})


def run_graphs_as_they_are() -> None:
    """Have TensorFlow rewrite no graph from here on: what is asked a few hundred times is run sooner so.

    The rewriters took 2.9 s of the first call of an LSTM over sixteen frames of MobileNetV2, and its later calls were as quick without them (x86, TensorFlow
    2.21). Training keeps them.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
