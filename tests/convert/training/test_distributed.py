import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions, train
from convert.training.fitting.workers import Workers, stated_workers
from convert.training.models import ModelOptions
from edgevid.cli import main
from edgevid.errors import UsageError
from tests.clips.moving import write_moving
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
OPTIONS = "--frames 4 --size 16 --epochs 3 --batch 5 --windows-per-clip 2 --val-fraction 0.3 --no-augment".split()


def config(ports, index):
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(folder, index, ports, *more):
    """Start a worker in a folder of its own."""
    place = folder / str(index)
    place.mkdir()
    command = [
        "-m",
        "tests.convert.training.worker",
        "train",
        folder / "clips",
        "-o",
        place / "m.keras",
        *OPTIONS,
        *more,
    ]
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"TF_CONFIG": config(ports, index), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Two workers that trained one model, with what each wrote and printed."""
    folder = tmp_path_factory.mktemp("workers")
    write_moving(folder / "clips", 4)
    ports = free_ports(2)
    more = ["--checkpoint", folder / "state", "--report"]
    started = [start(folder, index, ports, *more, folder / str(index) / "page.html") for index in range(2)]
    ended = [(each.communicate(timeout=500), each.returncode) for each in started]
    return folder, ended


def test_every_worker_ends_with_success(workers):
    _, ended = workers
    assert [code for _, code in ended] == [0, 0], ended


def test_only_the_chief_writes_the_model_the_report_and_its_results(workers):
    folder, ended = workers
    assert sorted(path.name for path in (folder / "0").iterdir()) == ["m.keras", "page.html"]
    assert list((folder / "1").iterdir()) == []
    assert len(list((folder / "state").iterdir())) == 1
    assert "accuracy" in ended[0][0][0]
    assert ended[1][0][0] == ""
    assert "worker 1 of 2; worker 0 has written the files" in ended[1][0][1]


def test_two_workers_learn_what_one_process_learns(workers, monkeypatch, tmp_path):
    """Without dropout the two trainings differ by rounding alone; their batches have an odd number of windows."""
    folder, _ = workers
    from convert.loading.load import load

    monkeypatch.setitem(ModelOptions.__init__.__kwdefaults__, "dropout", 0.0)
    options = TrainOptions(
        frames=4,
        size=(16, 16),
        epochs=3,
        batch=5,
        windows_per_clip=2,
        val_fraction=0.3,
        augment=False,
        checkpoint=tmp_path / "state",
    )
    alone = train(folder / "clips", tmp_path / "m.keras", options=options)
    together = load(folder / "0" / "m.keras").model
    for one, two in zip(alone.model.get_weights(), together.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4)
    assert not any(
        layer.get_config().get("layer", {}).get("config", {}).get("synchronized") for layer in together.layers
    )


@pytest.mark.slow
def test_workers_with_other_options_all_stop_before_the_first_step(tmp_path):
    write_moving(tmp_path / "clips", 4)
    ports = free_ports(2)
    started = [start(tmp_path, index, ports, "--patience", str(3 + index)) for index in range(2)]
    for worker in started:
        _, err = worker.communicate(timeout=500)
        assert worker.returncode == 2
        assert "the same options and clips on every worker" in err.splitlines()[-1]
    assert not list(tmp_path.glob("*/m.keras"))


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_others_with_one_line(tmp_path):
    write_moving(tmp_path / "clips", 4)
    ports, state = free_ports(2), tmp_path / "state"
    endless = ["--epochs", "100000", "--patience", "100000", "--checkpoint", state]
    chief, other = (start(tmp_path, index, ports, *endless) for index in range(2))
    while not any(state.glob("*")) and chief.poll() is None:
        time.sleep(0.1)
    other.kill()
    _, err = chief.communicate(timeout=500)
    other.communicate()
    assert chief.returncode == 1
    assert "Start all of them again" in err.splitlines()[-1]
    assert not (tmp_path / "0" / "m.keras").exists()


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ({}, None),
        ({"TF_CONFIG": ""}, None),
        ({"TF_CONFIG": config([1, 2], 1)}, Workers(2, 1)),
        (
            {"TF_CONFIG": '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}'},
            Workers(2, 1),
        ),
    ],
)
def test_the_variable_names_the_place_of_a_worker(stated, place):
    assert stated_workers(stated) == place


WRONG = [
    "no JSON",
    "[]",
    "{}",
    '{"cluster": {"worker": ["a:1"]}}',
    '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
    '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": true}}',
    '{"cluster": {"worker": ["a:1"]}, "task": {"type": ["worker"], "index": 0}}',
    '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
]


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_variable_is_one_clear_line(text, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", text)
    write_moving(tmp_path / "clips", 2)
    assert main(["train", str(tmp_path / "clips"), "-o", str(tmp_path / "m.keras")]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "TF_CONFIG" in error
    assert "An example:" in error


def test_a_frozen_encoder_is_refused_where_a_training_is_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config([1, 2], 0))
    with pytest.raises(UsageError, match="--encoder small with TF_CONFIG"):
        train(tmp_path, tmp_path / "m.keras", options=TrainOptions(encoder="efficientnet-lite0"))


def test_a_process_that_used_tensorflow_before_is_refused(tmp_path, monkeypatch):
    import tensorflow as tf

    tf.constant(0.0)
    monkeypatch.setenv("TF_CONFIG", config(free_ports(2), 0))
    with pytest.raises(UsageError, match="before the first use of TensorFlow"):
        train(tmp_path, tmp_path / "m.keras", options=TrainOptions())
