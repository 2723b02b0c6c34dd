"""`.onnx` files become bundles, split and streamed where they are, with ONNX Runtime as the original."""

import json

import numpy as np
import pytest

from edgevid import bundle
from edgevid.cli import main
from tests.clips.moving import write_moving
from tests.models.onnx_models import PICTURES, cnn3d, cnn_lstm, mlp, rows_lstm, save

pytestmark = pytest.mark.tf


@pytest.fixture
def rows(tmp_path):
    """Clips of key points: random walks."""
    (tmp_path / "rows").mkdir()
    for number in range(12):
        steps = np.random.default_rng(number).normal(size=(12, 10))
        np.save(tmp_path / "rows" / f"{number}.npy", 0.4 * np.cumsum(steps, axis=0).astype(np.float32))
    return tmp_path / "rows"


@pytest.fixture
def clips(tmp_path):
    write_moving(tmp_path / "clips", 4)
    return tmp_path / "clips"


def convert(made, clips, tmp_path, *options):
    """Convert a file on the command line; return the bundle and the report."""
    path, out = save(tmp_path / "model.onnx", made), tmp_path / "model.edgevid"
    assert main(["convert", str(path), "--clips", str(clips), "-o", str(out), "--interval", "0.1", *options]) == 0
    return bundle.read(out), json.loads((tmp_path / "model.report.json").read_text())


def runtime_answers(path, windows):
    """Probabilities by ONNX Runtime alone, for windows in the file's order."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"input": window[None]})[0] for window in windows])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def stream_of(golden, window):
    return np.stack([golden.frames[at : at + window] for at in range(len(golden.frames) - window + 1)])


def test_rows_and_an_lstm_are_streamed_and_held_to_onnx_runtime(rows, tmp_path):
    held, report = convert(rows_lstm(), rows, tmp_path)
    assert (held.manifest.plan, held.manifest.window.frames) == ("window", 6)
    assert [stage["name"] for stage in report["stages"]] == [
        "ONNX Runtime",
        "float split",
        "bundle, whole window",
        "bundle, stream",
    ]
    assert report["agreement"] >= 0.98
    assert report["split"]["hoisted"] == ["sequence_LSTM"]
    expected = runtime_answers(tmp_path / "model.onnx", stream_of(held.golden, 6))
    np.testing.assert_allclose(held.golden.float_scores, expected, atol=1e-5)
    assert np.abs(held.golden.scores - expected).max() < 0.1, "the bundle computes what the file computes"
    assert main(["selftest", str(tmp_path / "model.edgevid")]) == 0


def test_the_state_of_a_gru_is_carried(rows, tmp_path):
    held, report = convert(rows_lstm("GRU"), rows, tmp_path, "--plan", "stateful")
    assert held.manifest.plan == "stateful"
    assert report["agreement"] >= 0.98


@pytest.mark.slow
def test_a_cnn_over_folded_frames_runs_once_a_frame_without_a_turn_of_axes(clips, tmp_path):
    from convert.tflite_file import read_tflite

    held, report = convert(cnn_lstm(), clips, tmp_path, "--range", "0,1")
    assert held.manifest.plan == "window"
    assert (held.manifest.input.height, held.manifest.input.width, held.manifest.input.channels) == (
        *PICTURES[2:],
        PICTURES[1],
    )
    encoder = [each.kind for each in read_tflite(held.models["encoder.tflite"]).operators]
    assert encoder.count("CONV_2D") == 2
    assert "TRANSPOSE" not in encoder, "the device delivers channels last, and nothing turns them"
    assert any("read as t,c,h,w" in note for note in report["notes"])
    frames = stream_of(held.golden, PICTURES[0]).transpose(0, 1, 4, 2, 3).astype(np.float32) / 255
    expected = runtime_answers(tmp_path / "model.onnx", frames)
    np.testing.assert_allclose(held.golden.float_scores, expected, atol=1e-5)
    assert np.abs(held.golden.scores - expected).max() < 0.1
    assert main(["selftest", str(tmp_path / "model.edgevid")]) == 0


def test_a_cnn_over_volumes_runs_whole(clips, tmp_path):
    held, report = convert(cnn3d(), clips, tmp_path, "--range", "0,1")
    assert (held.manifest.plan, report["precision"]) == ("stack", {"whole": "int8"})
    assert any("read as c,t,h,w" in note for note in report["notes"])
    frames = stream_of(held.golden, 6).transpose(0, 4, 1, 2, 3).astype(np.float32) / 255
    np.testing.assert_allclose(held.golden.float_scores, runtime_answers(tmp_path / "model.onnx", frames), atol=1e-5)


@pytest.mark.slow
def test_a_row_a_decision_needs_no_window(rows, tmp_path):
    held, report = convert(mlp(), rows, tmp_path)
    assert held.manifest.window.frames == 1
    assert report["agreement"] >= 0.98
    # The file ends in a softmax, which the device computes.
    np.testing.assert_allclose(held.golden.float_scores.sum(axis=1), 1, atol=1e-5)
    answers = runtime_answers(tmp_path / "model.onnx", held.golden.frames)
    assert np.array_equal(answers.argmax(axis=1), held.golden.float_scores.argmax(axis=1))
    assert held.golden.float_scores.max() > 0.6, "not the softmax of a softmax"


@pytest.mark.slow
def test_a_translation_that_computes_something_else_is_no_bundle(rows, tmp_path, monkeypatch, capsys):
    """ONNX Runtime has the last word: gates in ONNX's order in a layer that has Keras's."""
    from convert.onnx_file import products

    monkeypatch.setattr(products, "_arranged", lambda _node, w, r, b: [w.T, r.T, sum(np.split(b, 2))])
    path = save(tmp_path / "model.onnx", rows_lstm())
    arguments = ["convert", str(path), "--clips", str(rows), "-o", str(tmp_path / "a.edgevid"), "--interval", "0.1"]
    assert main(arguments) == 3
    assert not (tmp_path / "a.edgevid").exists()
    assert "split" in capsys.readouterr().err


def test_a_file_for_the_runtime_alone_crashes_no_command(tmp_path, rows, capsys):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    arguments = ["convert", str(tmp_path / "model.onnx"), "--clips", str(rows), "-o", str(tmp_path / "a.edgevid")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "Expected a .onnx file, got" in error
    assert "Traceback" not in error
