"""Weights that are elsewhere: links, external storage, virtual datasets, sizes that the file does not hold."""

import zipfile

import h5py
import numpy as np
import pytest

from convert.guard.check import check_weights
from edgevid.errors import ModelError


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.arange(4.0)
    (tmp_path / "secret.bin").write_bytes(b"s" * 64)
    return path


def external_link(file, secret):
    file["layer"] = h5py.ExternalLink(str(secret), "/kernel")


def soft_link(file, _secret):
    file["layer"] = h5py.SoftLink("/somewhere")


def external_storage(file, secret):
    file.create_dataset("kernel", (8,), "f8", external=[(str(secret.with_suffix(".bin")), 0, 64)])


def virtual(file, secret):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "kernel", shape=(4,))
    file.create_virtual_dataset("kernel", layout)


def bomb(file, _secret):
    file.create_dataset("kernel", (2**20, 2**14), "f4", chunks=(1, 2**14), compression="gzip")


def nested(file, secret):
    external_storage(file.create_group("a/b/c"), secret)


ATTACKS = {
    external_link: r"a link to .*secret\.h5",
    soft_link: "a link to another place",
    external_storage: r"a dataset stored in .*secret\.bin",
    virtual: "a dataset composed of other files",
    bomb: r"a dataset of 68719476736 bytes that the file does not hold",
    nested: r"a dataset stored in .*/a/b/c/kernel",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_weights_that_are_elsewhere_are_refused(attack, suffix, secret, tmp_path):
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as file:
        file["innocent"] = np.zeros((3, 3))
        attack(file, secret)
    path = weights
    if suffix == ".keras":
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(weights, "model.weights.h5")
    with pytest.raises(ModelError, match=ATTACKS[attack]):
        check_weights(path)


@pytest.mark.parametrize("name", ["../escape.h5", "/absolute.h5", "a\\b.h5", "model.weights.npz"])
def test_members_that_are_not_plain_weights_are_refused(name, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(ModelError, match=r"weights are in its own file|outside of the archive|another format"):
        check_weights(path)


def test_a_member_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b"0" * 2**24)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size > 900 * archive.infolist()[0].compress_size
    with pytest.raises(ModelError, match=r"a member of 16777216 bytes"):
        check_weights(path)


def test_a_circle_of_hard_links_ends(tmp_path):
    path = tmp_path / "circle.h5"
    with h5py.File(path, "w") as file:
        file["a/w"] = np.zeros(3)
        file["a/again"] = file["a"]
    check_weights(path)


def test_compressed_weights_and_empty_groups_are_fine(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=np.zeros((512, 512)), compression="gzip")
        file.create_group("nothing")
        file["scalar"] = 3
    check_weights(path)
