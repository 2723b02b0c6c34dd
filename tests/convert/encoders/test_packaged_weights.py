import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.encoders import efficientnet_lite0, packaged_weights
from edgevid.errors import ModelError, UsageError

pytestmark = pytest.mark.tf


class Elsewhere(importlib.metadata.Distribution):
    """The package, with its files in another folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def locate_file(self, path):
        return self._folder / path

    def read_text(self, filename):
        return None


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(packaged_weights, "PACKAGE", "no-such-package-of-weights")
    with pytest.raises(UsageError, match=r"edgevid\[pretrained\]"):
        packaged_weights.weights_file()


def test_altered_weights_are_rejected(tmp_path):
    genuine = packaged_weights.weights_file()
    copy = tmp_path / packaged_weights._FILE
    copy.parent.mkdir(parents=True)
    content = genuine.read_bytes()
    copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError, match="SHA-256"):
        packaged_weights._checked(Elsewhere(tmp_path))


def test_missing_weights_are_rejected(tmp_path):
    with pytest.raises(ModelError, match="no file"):
        packaged_weights._checked(Elsewhere(tmp_path))


@pytest.fixture(scope="module")
def network():
    return packaged_weights.load(224)


def test_the_weights_give_their_golden_answer_at_every_size(network):
    assert packaged_weights.GOLDEN
    packaged_weights.check(network)
    smaller = efficientnet_lite0.build(96)
    smaller.set_weights(network.get_weights())
    packaged_weights.check(smaller)


def test_a_network_with_one_wrong_layer_does_not_pass(network):
    wrong = efficientnet_lite0.build(224)
    wrong.set_weights(network.get_weights())
    kernel = wrong.get_layer("block9_depthwise").get_weights()[0]
    wrong.get_layer("block9_depthwise").set_weights([np.ascontiguousarray(kernel[:, ::-1])])
    with pytest.raises(ModelError, match="known features"):
        packaged_weights.check(wrong)


def test_the_picture_of_the_golden_answer_tells_channels_and_sides_apart():
    frame = packaged_weights.golden_frame()
    assert frame.shape == (224, 224, 3)
    assert np.abs(frame).max() <= 1
    for other in (frame[..., ::-1], frame[:, ::-1], frame[::-1], frame.swapaxes(0, 1)):
        assert np.abs(frame - other).mean() > 0.1
