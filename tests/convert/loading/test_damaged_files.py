"""Damaged model files end in a one-line error, and harm neither this process nor the disk."""

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from edgevid.errors import EdgevidError, ModelError
from tests.models.keras_models import over_features

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")]
# For each kind of file. Each takes a tenth of a second, or some seconds if it crashes the child.
FLIPS = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same small model in each form."""
    folder = tmp_path_factory.mktemp("whole")
    for framework in ("keras", "tf_keras"):
        for suffix in (".keras", ".h5"):
            over_features("lstm", framework=framework, frames=3, features=4).save(folder / f"{framework}{suffix}")
    return sorted(folder.iterdir())


def attempt(path, workshop):
    """Load a file as a conversion does; return the error, or None."""
    from convert.loading.load import load

    try:
        workshop.converter.load_in_worker(path)
        assert load(path).model is not None
    except EdgevidError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1500
        return error
    return None


def test_a_file_cut_anywhere_is_refused(files, tmp_path, workshop):
    for whole in files:
        data = whole.read_bytes()
        for share in (0.0, 0.01, 0.3, 0.7, 0.99):
            path = tmp_path / whole.name
            path.write_bytes(data[: int(len(data) * share)])
            assert attempt(path, workshop) is not None, f"{whole.name} cut to {share:.0%}"


@pytest.mark.slow
def test_flipped_bits_end_in_a_model_or_in_a_refusal(files, tmp_path, workshop):
    chance, refused = random.Random(7), 0
    for whole in files:
        for number in range(FLIPS):
            data = bytearray(whole.read_bytes())
            for _ in range(1 + number % 8):
                data[chance.randrange(len(data) if number % 2 else min(len(data), 4000))] ^= 1 << chance.randrange(8)
            path = tmp_path / whole.name
            path.write_bytes(bytes(data))
            refused += attempt(path, workshop) is not None
    assert refused > FLIPS, "flips that hurt nothing test nothing"


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(files, framework, value, tmp_path):
    from convert.loading.load import load

    path = tmp_path / "lost.h5"
    path.write_bytes(next(each for each in files if each.name == f"{framework}.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        kernels = []
        file["model_weights"].visititems(
            lambda name, item: kernels.append(item) if name.endswith(("kernel", "kernel:0")) else None
        )
        kernels[-1][0] = value
    with pytest.raises(ModelError, match=r"in .*kernel.* NaN or infinite"):
        load(path)


def test_scores_that_are_no_numbers_are_refused_with_a_clip(tmp_path):
    """Weights of 1e38 are finite, and the answers computed from them are not."""
    from convert import Options, convert_model

    model = over_features("lstm", frames=3, features=4)
    model.set_weights(
        [
            np.where(np.arange(each.size).reshape(each.shape) % 2, 3e38, -3e38).astype(np.float32)
            for each in model.get_weights()
        ]
    )
    model.save(tmp_path / "model.keras")
    (tmp_path / "clips").mkdir()
    for number in range(4):
        np.save(
            tmp_path / "clips" / f"{number}.npy",
            np.random.default_rng(number).uniform(-1, 1, (6, 4)).astype(np.float32),
        )
    with pytest.raises(ModelError, match=r"got NaN from the trained model on 4 of 4 clips, .*0\.npy"):
        convert_model(
            tmp_path / "model.keras", tmp_path / "clips", tmp_path / "out.edgevid", options=Options(interval="uniform")
        )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["clips", "model.keras"]


def wrong(config, number):
    """Change one value of a configuration, drawn by `number`, to something of another kind."""
    chance = random.Random(number)
    places = []
    left = [config]
    while left:
        value = left.pop()
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in list(entries):
            places.append((value, key))
            if isinstance(inner, (dict, list)):
                left.append(inner)
    holder, key = chance.choice(places)
    holder[key] = chance.choice(
        [None, -1, 0, 2**62, "", "Nothing", [], {}, [[]], {"class_name": "Nobody", "config": {}}, "linear", 1e400]
    )
    return config


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_wrong_configurations_end_in_a_model_or_in_a_refusal(files, framework, tmp_path, workshop):
    whole = next(path for path in files if path.name == f"{framework}.h5")
    refused = 0
    for number in range(FLIPS):
        path = tmp_path / "wrong.h5"
        path.write_bytes(whole.read_bytes())
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(wrong(json.loads(file.attrs["model_config"]), number))
        refused += attempt(path, workshop) is not None
    assert refused > FLIPS // 4


def test_a_configuration_deeper_than_anyone_can_follow_is_refused(files, tmp_path):
    from convert.loading.load import load

    whole = next(path for path in files if path.name == "keras.keras")
    for depth in (400, 100_000):
        path = tmp_path / "deep.keras"
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                target.writestr(
                    name, '{"a":' * depth + "1" + "}" * depth if name == "config.json" else source.read(name)
                )
        with pytest.raises(ModelError):
            load(path)


def test_a_file_that_ends_its_process_is_a_message(tmp_path, workshop):
    """A user's module can crash the process as a damaged file can."""
    over_features("lstm", frames=3, features=4).save(tmp_path / "model.keras")
    (tmp_path / "deadly.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(ModelError, match="SIGSEGV"):
        workshop.converter.load_in_worker(tmp_path / "model.keras", custom_objects=tmp_path / "deadly.py")
    workshop.converter.load_in_worker(tmp_path / "model.keras")


def test_the_command_refuses_a_damaged_file_and_leaves_nothing(files, tmp_path):
    whole = next(path for path in files if path.name == "tf_keras.h5")
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:5000])
    (tmp_path / "clips").mkdir()
    np.save(tmp_path / "clips" / "a.npy", np.zeros((8, 4), np.float32))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [
        sys.executable,
        "-m",
        "edgevid.cli",
        "convert",
        str(tmp_path / "cut.h5"),
        "--clips",
        str(tmp_path / "clips"),
        "-o",
        str(tmp_path / "out.edgevid"),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("edgevid: Expected")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert list(scratch.iterdir()) == []
    assert not any(_of_session(done.args, entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _of_session(command, entry):
    """Return whether a process still works on this test's file."""
    try:
        return command[4].encode() in (entry / "cmdline").read_bytes()
    except OSError:
        return False
