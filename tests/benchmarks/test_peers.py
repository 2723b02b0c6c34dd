"""The comparison with other runtimes: real processes, real files, and the shipped bundle as the model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgevid
from benchmarks.peers import __main__ as peers_main
from benchmarks.peers import chores, compare, files, growth, page
from benchmarks.peers.catalog import EDGEVID, ENGINE, FLOOR, PEERS, Peer
from benchmarks.peers.environments import REQUIREMENTS, Environments
from benchmarks.peers.models import Subject, halves, trained
from benchmarks.peers.prepare import rendered, windows_of, write_parts
from benchmarks.peers.rounds import Limits, Runs, measure
from tests.repo.files import ROOT

WORKERS = ROOT / "benchmarks" / "peers" / "workers"
QUICK = Limits(rounds=2, slow_rounds=1, seconds=0.05, most=20)
BY_NAME = {peer.name: peer for peer in PEERS}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Path:
    """A model's folder with the files that edgevid and the floor need."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "bundle.edgevid").write_bytes(edgevid.DEMO.read_bytes())
    write_parts(edgevid.DEMO, folder / "parts")
    manifest = edgevid.read_bundle(edgevid.DEMO).manifest
    np.save(folder / "stream.npy", rendered(manifest.window.frames + 5, size=manifest.input.height, seed=3))
    return folder


@pytest.fixture(scope="module")
def found(shipped, tmp_path_factory) -> dict[str, Runs]:
    """What processes of four peers report, one of which lacks its files."""
    window = edgevid.load(edgevid.DEMO).window.frames
    peers = [BY_NAME[name] for name in (EDGEVID, ENGINE, FLOOR, "TFLite, whole window, int8")]
    here = Environments(tmp_path_factory.mktemp("none"), here=True)
    return measure(peers, shipped, window=window, environments=here, limits=QUICK, root=ROOT)


def test_each_round_is_a_process_that_reports_time_memory_and_answers(found):
    runs = found[EDGEVID]
    assert (runs.reason, sorted(runs.wall_us), len(runs.cpu_us)) == ("", [0, 1], 2)
    assert min([*runs.wall_us.values(), *runs.cpu_us.values(), *runs.start_ms]) > 0
    assert min(runs.peak_mib) > 20
    assert runs.bytes == edgevid.DEMO.stat().st_size
    # One answer for each window of the stream, from the first full one on.
    assert np.shape(runs.answers) == (6, len(edgevid.load(edgevid.DEMO).labels))


def test_the_engine_alone_answers_as_the_whole_api_does(found):
    np.testing.assert_allclose(found[ENGINE].answers, found[EDGEVID].answers, rtol=1e-6)


def test_the_floor_is_faster_than_the_api_and_answers_nothing(found):
    assert (found[FLOOR].answers, found[FLOOR].start_ms) == ([], [])
    assert found[FLOOR].bytes == sum(map(len, edgevid.read_bundle(edgevid.DEMO).models.values()))


def test_a_peer_without_its_files_is_a_reason_and_the_others_run(found):
    assert found["TFLite, whole window, int8"].reason == "whole_int8.tflite: it was not made"


def test_a_peer_that_fails_is_a_reason(shipped, tmp_path):
    peer = Peer("broken", "litert", "run_litert", "no such kind", "int8", {"parts": "parts"})
    here = Environments(tmp_path, here=True)
    runs = measure([peer], shipped, window=4, environments=here, limits=QUICK, root=ROOT)
    assert runs["broken"].reason == "KeyError: 'no such kind'"


def test_every_peer_has_a_program_and_an_environment_whose_packages_are_pinned():
    assert [peer.name for peer in PEERS if not (WORKERS / f"{peer.worker}.py").exists()] == []
    assert len(BY_NAME) == len(PEERS)
    for peer in PEERS:
        lines = (REQUIREMENTS / f"{peer.environment}.txt").read_text().splitlines()
        assert lines
        assert [line for line in lines if line.count("==") != 1] == []


def test_an_environment_that_cannot_be_made_is_a_reason_and_is_tried_once(tmp_path, monkeypatch):
    (tmp_path / "gone.txt").write_text("./no-such-package\n")
    monkeypatch.setattr("benchmarks.peers.environments.REQUIREMENTS", tmp_path)
    environments = Environments(tmp_path / "env")
    assert environments.python("gone") is None
    assert "no-such-package" in environments.reasons["gone"]
    monkeypatch.setattr("benchmarks.peers.environments._made", lambda *_: pytest.fail("tried again"))
    assert environments.python("gone") is None


def test_a_converter_that_crashes_leaves_a_reason_and_does_not_stop_the_others(tmp_path):
    program = tmp_path / "crashes.py"
    program.write_text(
        "import os, sys\n"
        "from benchmarks.peers.doing import do_all\n"
        "def crash(chore, out): os.kill(os.getpid(), 11)\n"
        "def refuse(chore, out): raise ValueError(f'not {out.parent}/today\\nmore')\n"
        "def make(chore, out): out.write_text('made')\n"
        "sys.exit(do_all({'crash': crash, 'refuse': refuse, 'make': make}))\n"
    )
    names = ("make", "crash", "refuse", "make")
    todo = [{"kind": kind, "out": str(tmp_path / f"{index}.txt")} for index, kind in enumerate(names)]
    chores.run(sys.executable, program, todo, root=ROOT)
    assert chores.reason_against(tmp_path / "0.txt") is None
    assert chores.reason_against(tmp_path / "1.txt") == f"the converter was ended by signal {signal.SIGSEGV.value}"
    assert chores.reason_against(tmp_path / "2.txt") == "ValueError: not today"
    assert (tmp_path / "3.txt").read_text() == "made"
    assert chores.pending(todo) == []


def test_the_interval_is_that_of_the_ratios_of_rounds():
    middle, low, high = compare.interval([2.0, 2.0, 2.0])
    assert (middle, low, high) == pytest.approx((2.0, 2.0, 2.0))
    middle, low, high = compare.interval([1.0, 4.0])
    assert middle == pytest.approx(2.0)
    # Student's factor for two samples is 12.7.
    assert high / middle == pytest.approx(np.exp(12.7062 * np.log(2)), rel=1e-4)
    assert low * high == pytest.approx(middle**2)
    assert compare.interval([3.0])[1:] == (0.0, float("inf"))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1.03, 1.2, "ahead"), (0.5, 0.97, "behind"), (0.99, 1.01, "level"), (0.9, 1.1, "unclear"), (1.01, 1.2, "unclear")],
)
def test_the_word_is_only_said_if_all_of_the_interval_allows_it(low, high, said):
    assert compare.word(low, high) == said


def test_the_ratio_compares_rounds_in_which_both_ran():
    wall = {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}
    ours = Runs(wall_us=wall, cpu_us={0: 10.0, 1: 20.0, 2: 1000.0}, peak_mib=[1.0], answers=[[1.0, 0.0]])
    slow = Runs(wall_us=wall, cpu_us={0: 30.0, 1: 60.0, 3: 5.0}, peak_mib=[1.0], answers=[[0.0, 1.0]])
    peers = [BY_NAME[EDGEVID], *(Peer(name, "litert", "run_litert", "window", "int8", {}) for name in ("slow", "gone"))]
    rows = compare.numbers({EDGEVID: ours, "slow": slow, "gone": Runs(reason="no wheel")}, peers, [[0.6, 0.4]])
    assert (rows["slow"]["times"], rows["slow"]["low"], rows["slow"]["edgevid_is"]) == (3.0, 3.0, "ahead")
    assert (rows["slow"]["agreement"], rows[EDGEVID]["agreement"]) == (0.0, 1.0)
    assert rows["gone"] == {"reason": "no wheel"}


def test_the_time_over_the_floor_is_that_of_the_same_rounds():
    runs = {ENGINE: Runs(cpu_us={0: 12.0, 1: 24.0, 2: 1.0}), FLOOR: Runs(cpu_us={0: 10.0, 1: 20.0})}
    assert compare.over_floor(runs, ENGINE) == {"times": 1.2, "low": 1.2, "high": 1.2}
    assert compare.over_floor({ENGINE: runs[ENGINE]}, ENGINE) is None


def test_growth_is_measured_over_windows_and_sizes_and_drawn_the_same_each_time(tmp_path):
    def run(subject, peers):
        # The last peer fails everywhere, and has no line.
        return {peer.name: Runs(cpu_us={0: 1.0 * subject.frames * subject.size}) for peer in peers[:-1]} | {
            peers[-1].name: Runs(reason="none")
        }

    found = growth.measure(run)
    assert found["frames"][EDGEVID] == {"8": 512.0, "32": 2048.0, "128": 8192.0}
    assert list(found["size"][EDGEVID]) == ["32", "64", "128"]
    assert found["size"][growth.DRAWN[-1].name] == {}
    for name in ("a.svg", "b.svg"):
        growth.draw(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_page_begins_with_where_edgevid_is_ahead_and_behind_and_names_what_did_not_run():
    fast = {"wall_us": 9.0, "cpu_us": 5.0, "start_ms": None, "peak_mib": 40.0, "kb": 1.0, "agreement": 0.95}
    rows = {
        EDGEVID: fast | {"times": 1.0, "low": 1.0, "high": 1.0, "edgevid_is": "level"},
        FLOOR: fast | {"cpu_us": 4.5, "times": 0.9, "low": 0.9, "high": 0.9, "edgevid_is": "behind"},
        "quick": fast | {"cpu_us": 4.0, "times": 0.8, "low": 0.7, "high": 0.9, "edgevid_is": "behind"},
        "slow": fast | {"cpu_us": 15.0, "times": 3.0, "low": 2.5, "high": None, "edgevid_is": "ahead"},
        "gone": {"reason": "no `wheel`"},
    }
    over = {"times": 1.04, "low": 1.02, "high": 1.06}
    text = page.text({"A model": {"peers": rows, "engine_over_floor": over}})
    assert "In int8, its engine takes 1.04 times [1.02, 1.06] the time of the bare interpreter on its parts." in text
    assert text.splitlines()[2] == "- A model: **ahead** of 1 of 2, **behind** quick (0.80 times)."
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table[2:]] == ["quick", FLOOR, f"**{EDGEVID}**", "slow"]
    assert "3.00 [2.50, …]" in table[-1]
    assert text.rstrip().endswith("- gone: `no 'wheel'`")


def test_windows_are_taken_at_equal_steps():
    frames = np.arange(10)[:, None]
    assert windows_of(frames, 4, most=3)[:, :, 0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_a_wrong_model_is_a_usage_error():
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers", "--models", "resnet"],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert shown.returncode == 2
    assert "Expected models of lrcn20, " in shown.stderr
    assert "got resnet" in shown.stderr


@pytest.mark.tf
def test_peers_without_edgevid_answer_as_keras_does(tmp_path):
    """The stock converter, the halves that an expert cuts, and the programs that run them."""
    subject = Subject("small", "small", 32, 4)
    folder = tmp_path / "models" / "small"
    names = ("TFLite, feature cache by hand, float", "TFLite, whole window, float", "`tf.function` of the model")
    peers, environments = [BY_NAME[name] for name in names], Environments(tmp_path, here=True)
    files.make(subject, folder, peers=peers, environments=environments, root=ROOT)
    # Only what these peers need is made.
    assert sorted(path.name for path in folder.glob("*.tflite")) == [
        "encoder_float.tflite",
        "head_float.tflite",
        "whole_float.tflite",
    ]
    found = measure(peers, folder, window=4, environments=environments, limits=QUICK, root=ROOT)
    reference = np.load(folder / "reference.npy")
    # Drawn weights that give every window the same answer would show no difference.
    assert len(set(reference.argmax(axis=1))) > 2
    for name in names:
        assert found[name].reason == "", json.dumps(found[name].reason)
        np.testing.assert_allclose(found[name].answers, reference, atol=2e-3)


@pytest.mark.tf
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_trained_lrcn_is_cut_where_its_layers_no_longer_see_single_frames(tmp_path):
    import tf_keras as keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu"), input_shape=(5, 16, 16, 3)),
            layers.TimeDistributed(layers.Flatten()),
            layers.LSTM(3),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.save(tmp_path / "lrcn.h5", save_format="h5")
    subject = trained(tmp_path / "lrcn.h5")
    assert (subject.frames, subject.size, subject.weights) == (5, 16, "trained, lrcn.h5")
    cut = halves(subject.source)
    clip = np.random.default_rng(0).random((1, 5, 16, 16, 3), np.float32)
    features = cut.encoder(clip[0]).numpy()
    np.testing.assert_allclose(cut.head(features[None]).numpy(), model(clip).numpy(), atol=1e-6)


def test_models_of_an_earlier_session_are_kept_with_its_commit(tmp_path):
    assert peers_main._kept(tmp_path) == ({}, {})
    session = {"commit": "abc", "load_1min": 1.5, "date": "2026-01-01"}
    models = {"old": {"peers": {}}, "older": {"peers": {}, "commit": "def", "load_1min": 0.5}}
    content = {"environment": session, "numbers": {"models": models}, "samples": {"old: edgevid": [1.0]}}
    (tmp_path / "peers.json").write_text(json.dumps(content))
    kept, samples = peers_main._kept(tmp_path)
    assert kept["old"] == {"peers": {}, "commit": "abc", "load_1min": 1.5}
    assert kept["older"]["commit"] == "def"
    assert samples == {"old: edgevid": [1.0]}
    assert "Measured at load 1.5, commit abc." in page.text(kept)
