"""Streams that others converted become bundles that answer like the file run by hand, or are refused."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from edgevid import bundle
from edgevid.backends.litert import LiteRt
from edgevid.cli import main
from edgevid.errors import ModelError, UsageError, VerificationFailed
from edgevid.inference.engine import Engine
from edgevid.inference.probabilities import to_probabilities
from edgevid.quant import dequantize, quantize
from tests.clips.moving import write_moving
from tests.models.streams import CLASSES, FRAME, ROW, UNITS, by_hand, conv_stream, gru_step, without_signature
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
MADE = ROOT / "build" / "cache" / "movinet"
SHARED = ROOT.parent / "shared" / "models" / "onnx_and_streams"
STEPS = 50


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Each kind of stream as the bytes of its file, by name."""
    folder = tmp_path_factory.mktemp("streams")
    signed = {
        "conv": conv_stream(folder / "conv"),
        "gru": gru_step(folder / "gru"),
        "gru int8": gru_step(folder / "gru8", int8=True),
    }
    return signed | {f"{name} without a signature": without_signature(data) for name, data in signed.items()}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips for either model: videos, and rows."""
    folder = tmp_path_factory.mktemp("clips")
    write_moving(folder / "videos", 2)
    (folder / "rows").mkdir()
    for number in range(4):
        np.save(folder / "rows" / f"{number}.npy", np.random.default_rng(number).uniform(-1, 1, (20, ROW)))
    return folder


def converted(data, clips, folder, **options):
    """The bundle of a file, read back."""
    from convert import Options, convert_model

    path = folder / "theirs.tflite"
    path.write_bytes(data)
    inputs = LiteRt().tensors(data)[0]
    kind = "videos" if any(len(each["shape"]) == 5 for each in inputs) else "rows"
    done = convert_model(
        path, clips / kind, folder / "out.edgevid", options=Options(**{"interval": 0.1, "frames": 6, **options})
    )
    return bundle.read(done.path), done.report


def streamed(held, frames):
    """The engine's probabilities after each prepared frame."""
    engine = Engine(held)
    return np.stack([_step(engine, frame) for frame in frames])


def _step(engine, frame):
    np.copyto(engine.input_buffer(), frame)
    return engine.step()


def frames_for(held, count=STEPS):
    """Prepared frames of noise, and the same as the file's input takes them."""
    rng, source = np.random.default_rng(1), held.manifest.parts[0].inputs[0]
    if held.manifest.input.kind == "features":
        frames = rng.uniform(-1, 1, (count, *held.manifest.input.shape)).astype(np.float32)
        real = frames
    else:
        frames = rng.integers(0, 256, (count, *held.manifest.input.shape)).astype(np.uint8)
        real = frames * np.float32(1 / 255)
    return frames, [quantize(each, source.params).reshape(source.shape) for each in real]


def probabilities(held, stored):
    params = held.manifest.parts[0].outputs[0].params
    kind = to_probabilities(held.manifest.scores)
    return np.stack([kind(dequantize(each, params).reshape(-1)) for each in stored])


CONV_STATES = {
    "state_stream_buffer": np.zeros((1, 2, UNITS), np.float32),
    "state_pool_buffer": np.zeros((1, 1, UNITS), np.float32),
    "state_pool_frame_count": np.zeros(1, np.int32),
}


@pytest.mark.parametrize("name", ["conv", "conv without a signature"])
def test_a_convolution_with_buffers_and_a_count_equals_the_file_run_by_hand_at_every_step(files, clips, tmp_path, name):
    held, report = converted(files[name], clips, tmp_path)
    manifest = held.manifest
    assert (manifest.plan, manifest.is_one_step, manifest.scores) == ("stateful", True, "logits")
    assert manifest.input.shape == FRAME
    assert held.models["step.tflite"] == files[name], "nothing was converted"
    assert sorted(each.dtype for each in manifest.parts[0].states_before) == ["float32", "float32", "int32"]
    assert (report["agreement"], report["recipe"]) == (1.0, "as it is")
    assert [stage["name"] for stage in report["stages"]] == ["the file as it is", "bundle, stream"]
    assert "paired by their shapes" in " ".join(report["notes"]) or name == "conv"
    frames, stored = frames_for(held)
    expected = by_hand(files["conv"], stored, frame="image", scores="logits", states=CONV_STATES)
    np.testing.assert_array_equal(streamed(held, frames), probabilities(held, expected))
    assert main(["selftest", str(tmp_path / "out.edgevid")]) == 0


def test_golden_answers_are_those_of_a_stream_that_runs_on(files, clips, tmp_path):
    held, _ = converted(files["conv"], clips, tmp_path)
    golden = held.golden
    real = [(frame * np.float32(1 / 255)).reshape(1, 1, *FRAME) for frame in golden.frames]
    expected = by_hand(files["conv"], real, frame="image", scores="logits", states=CONV_STATES)[5:]
    np.testing.assert_array_equal(golden.scores, probabilities(held, expected))
    np.testing.assert_allclose(golden.float_scores, golden.scores, atol=1e-6)


def test_a_stream_that_differs_from_its_file_at_a_later_step_is_no_bundle(files, clips, tmp_path, monkeypatch):
    from convert.stream_file.model import StreamReference

    by_file = StreamReference.stream_scores
    monkeypatch.setattr(StreamReference, "stream_scores", lambda *args: by_file(*args) + np.float32(0.001))
    with pytest.raises(VerificationFailed, match="to equal the file run by hand at every step, got a difference of"):
        converted(files["conv"], clips, tmp_path)
    assert not (tmp_path / "out.edgevid").exists()


def test_after_a_gap_a_stream_begins_anew(files, clips, tmp_path):
    held, _ = converted(files["conv"], clips, tmp_path)
    frames, _ = frames_for(held, 8)
    engine = Engine(held)
    first = [_step(engine, frame) for frame in frames]
    engine.restart()
    np.testing.assert_array_equal([_step(engine, frame) for frame in frames], first)
    assert not np.array_equal(_step(engine, frames[0]), first[0]), "without a gap, states run on"


@pytest.mark.parametrize("name", ["gru", "gru int8"])
@pytest.mark.parametrize("signature", ["", " without a signature"])
def test_a_step_of_a_recurrent_layer_equals_the_file_run_by_hand_at_every_step(files, clips, tmp_path, name, signature):
    held, report = converted(files[name + signature], clips, tmp_path)
    state = held.manifest.parts[0].states_before[0]
    assert held.manifest.scores == "softmax"
    assert state.dtype == ("int8" if "int8" in name else "float32")
    frames, stored = frames_for(held)
    runner = LiteRt().open(files[name], "file").get_signature_runner()
    before, after = runner.get_input_details()["h"], runner.get_output_details()["h_out"]
    expected, current = [], np.full(state.shape, state.zero_point, state.dtype)
    for each in stored:
        outputs = runner(x=each, h=current)
        expected.append(outputs["scores"])
        current = outputs["h_out"]
        if before["quantization"] != after["quantization"]:
            (scale, zero), (finer, offset) = after["quantization"], before["quantization"]
            real = (current.astype(np.float32) - np.float32(zero)) * np.float32(scale)
            current = np.clip(np.rint(real / finer) + offset, -128, 127).astype(np.int8)
    np.testing.assert_array_equal(streamed(held, frames), probabilities(held, expected))
    notes = " ".join(report["notes"])
    assert "states (1) are carried from frame to frame; they start as zeros" in notes
    assert ("come back on another grid" in notes) == (before["quantization"] != after["quantization"])


def test_states_may_start_with_other_values_than_zeros(files, clips, tmp_path):
    initial = np.linspace(-0.9, 0.8, UNITS).astype(np.float32)[None]
    np.savez(tmp_path / "start.npz", h=initial)
    held, report = converted(files["gru"], clips, tmp_path, initial_states=tmp_path / "start.npz")
    np.testing.assert_array_equal(held.initial_states[0], initial)
    assert "they start as start.npz says" in " ".join(report["notes"])
    frames, stored = frames_for(held)
    runner = LiteRt().open(files["gru"], "file").get_signature_runner()
    for _ in range(2):
        engine, state, answers = Engine(held), initial, []
        for each in stored:
            outputs = runner(x=each, h=state)
            state = outputs["h_out"]
            answers.append(outputs["scores"])
        engine.restart()
        np.testing.assert_array_equal([_step(engine, frame) for frame in frames], probabilities(held, answers))
    assert main(["selftest", str(tmp_path / "out.edgevid")]) == 0


def test_initial_states_of_an_int8_file_are_given_as_real_numbers(files, clips, tmp_path):
    name = next(each.name for each in LiteRt().describe(files["gru int8"])[0].values() if each.shape == (1, UNITS))
    np.savez(tmp_path / "start.npz", **{name: np.full((1, UNITS), 0.5)})
    held, _ = converted(files["gru int8"], clips, tmp_path, initial_states=tmp_path / "start.npz")
    state = held.manifest.parts[0].states_before[0]
    np.testing.assert_allclose(dequantize(held.initial_states[0], state.params), 0.5, atol=state.scale)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"c": np.zeros((1, UNITS))}, "--initial-states, one of h, got 'c'"),
        ({"h": np.zeros((1, UNITS + 1))}, r"finite numbers of shape \(1, 4\) for state 'h', got float64 \(1, 5\)"),
        ({"h": np.full((1, UNITS), np.nan)}, "finite numbers"),
        ({"h": np.array([["a"] * UNITS])}, "finite numbers"),
        (None, "a .npz file of arrays for --initial-states"),
    ],
)
def test_initial_states_that_do_not_fit_are_refused(files, clips, tmp_path, arrays, says):
    path = tmp_path / "start.npz"
    if arrays is None:
        path.write_bytes(b"no archive")
    else:
        np.savez(path, **arrays)
    with pytest.raises(UsageError, match=says):
        converted(files["gru"], clips, tmp_path, initial_states=path)
    assert not (tmp_path / "out.edgevid").exists()


def test_the_command_takes_pairs_and_refuses_what_does_not_fit(files, clips, tmp_path, capsys):
    (tmp_path / "gru.tflite").write_bytes(files["gru without a signature"])
    described = LiteRt().describe(files["gru without a signature"])
    before, after = (next(key for key, each in side.items() if each.shape == (1, UNITS)) for side in described)
    row = next(key for key in described[0] if key != before)
    out = tmp_path / "a.edgevid"
    command = ["convert", str(tmp_path / "gru.tflite"), "--clips", str(clips / "rows"), "-o", str(out)]
    options = ["--frames", "5", "--interval", "0.1"]
    assert main([*command, *options, "--state", f"{before}={after}"]) == 0
    assert "paired by their shapes" not in capsys.readouterr().out
    assert bundle.read(out).manifest.window.frames == 5
    out.unlink()
    for wrong, says in (
        (["--state", f"{row}={after}"], f"Expected --state {row}=OUTPUT of shape (1, 5)"),
        (
            ["--state", f"{before}=nothing"],
            "Expected --state INPUT=OUTPUT, one of StatefulPartitionedCall:0, StatefulPartitionedCall:1, got",
        ),
        (["--plan", "stack"], "Expected --plan stateful for a stream with states, got 'stack'."),
        (["--axes", "t,f"], "Expected no --axes for a stream"),
        (["--regression"], "Expected a trained model for --regression"),
    ):
        assert main([*command, *wrong]) == 2
        assert says in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit):
        main([*command, "--state", "h"])
    assert "Expected INPUT=OUTPUT, such as state_in=state_out, got 'h'." in capsys.readouterr().err
    assert not out.exists()


def test_a_bundle_of_a_stream_is_shown_measured_and_run_as_any_other(files, clips, tmp_path, capsys):
    import edgevid

    converted(files["conv"], clips, tmp_path, labels=_labels(tmp_path, "left", "right", "still"))
    path, clip = str(tmp_path / "out.edgevid"), str(next((clips / "videos" / "left").iterdir()))
    assert main(["inspect", path]) == 0
    assert "1x1x6x8x3 float32 and 3 states" in capsys.readouterr().out
    assert main(["bench", path, "--min-time", "0.2", "--min-frames", "20", "--warm-up", "0.1", "--starts", "1"]) == 0
    assert main(["evaluate", path, str(clips / "videos")]) == 0
    assert main(["run", path, "--source", clip]) == 0
    answer = edgevid.load(path).classify(clip)
    assert answer.label in ("left", "right", "still")


def test_labels_are_read_from_the_metadata_of_a_file(files, clips, tmp_path):
    from convert.tflite_labels import read_label_files

    path = tmp_path / "labelled.tflite"
    path.write_bytes(files["conv"])
    assert read_label_files(path) == ()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("kinds.txt", "push\npull\nrest\n")
        archive.writestr("vocabulary.txt", "a\nb\nc\nd\n")
    held, report = converted(path.read_bytes(), clips, tmp_path)
    assert held.manifest.labels == ("push", "pull", "rest")
    assert "labels read from the model file's metadata" in report["notes"]
    held, _ = converted(path.read_bytes(), clips, tmp_path, labels=_labels(tmp_path, "x", "y", "z"))
    assert held.manifest.labels == ("x", "y", "z"), "an option wins"


@pytest.mark.parametrize("text", ["push\npush\nrest\n", "push\npull\n"])
def test_labels_of_the_metadata_that_do_not_fit_are_left_out(files, clips, tmp_path, text):
    path = tmp_path / "labelled.tflite"
    path.write_bytes(files["conv"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("kinds.txt", text)
    assert converted(path.read_bytes(), clips, tmp_path)[0].manifest.labels == ("left", "right", "still")


def test_damaged_metadata_is_one_line(files, tmp_path):
    from convert.tflite_labels import read_label_files

    path = tmp_path / "labelled.tflite"
    path.write_bytes(files["conv"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("kinds.txt", b"\xff\xfe")
    with pytest.raises(ModelError, match="label files of at most"):
        read_label_files(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", b"a\n" * 2**20)
    with pytest.raises(ModelError, match="label files of at most"):
        read_label_files(path)


def _labels(folder, *names):
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    return folder / "labels.txt"


def theirs(name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip("needs other people's models in ../shared/models")
    return path


@pytest.mark.parametrize("name", ["movinet_a0_int8.tflite", "movinet_a0_dyn.tflite"])
def test_movinet_equals_its_file_run_by_hand_at_every_step(name, clips, tmp_path):
    data = theirs(name).read_bytes()
    held, report = converted(data, clips, tmp_path)
    assert (len(held.manifest.parts[0].states_before), held.manifest.input.shape) == (43, (172, 172, 3))
    assert (held.manifest.scores, report["agreement"]) == ("logits", 1.0)
    frames, stored = frames_for(held)
    inputs = LiteRt().open(data, name).get_signature_runner().get_input_details()
    states = {key: np.zeros(each["shape"], each["dtype"]) for key, each in inputs.items() if key != "image"}
    expected = by_hand(data, stored, frame="image", scores="logits", states=states)
    np.testing.assert_array_equal(streamed(held, frames), probabilities(held, expected))
    assert _allocated(held, frames) < 2**17, "the states, 2.7 MB, are not allocated anew with each frame"


@pytest.mark.parametrize("number", [1, 2])
def test_larger_movinets_equal_their_files_run_by_hand_at_every_step(number, clips, tmp_path):
    path = MADE / f"movinet_a{number}_stream.tflite"
    if not path.is_file():
        pytest.skip(f"needs a file of scripts/movinet_stream.py in {MADE}")
    data = path.read_bytes()
    held, report = converted(data, clips, tmp_path)
    assert (held.manifest.plan, held.manifest.scores, report["agreement"]) == ("stateful", "logits", 1.0)
    frames, stored = frames_for(held)
    inputs = LiteRt().open(data, path.name).get_signature_runner().get_input_details()
    states = {key: np.zeros(each["shape"], each["dtype"]) for key, each in inputs.items() if key != "image"}
    assert len(held.manifest.parts[0].states_before) == len(states) > 43
    expected = by_hand(data, stored, frame="image", scores="logits", states=states)
    np.testing.assert_array_equal(streamed(held, frames), probabilities(held, expected))
    assert np.ptp(expected[-1]) > 0
    # The states are carried: the same frame again has another answer.
    assert not np.array_equal(
        expected[-1], by_hand(data, stored[-1:], frame="image", scores="logits", states=states)[0]
    )


def _allocated(held, frames):
    """The most bytes that a frame allocates at a time."""
    engine = Engine(held)
    _step(engine, frames[0])
    tracemalloc.start()
    try:
        _step(engine, frames[1])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["dtln_1.tflite", "dtln_q1.tflite", "dtln_2.tflite", "dtln_q2.tflite"])
def test_a_file_without_a_signature_equals_itself_run_by_hand_at_every_step(name, tmp_path):
    data = theirs(name).read_bytes()
    width = LiteRt().tensors(data)[0][0]["shape"][-1]
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows" / "a.npy", np.random.default_rng(0).random((60, width), np.float32))
    held, _ = converted(data, tmp_path, tmp_path)
    frames, stored = frames_for(held)
    interpreter = LiteRt().open(data, name)
    (row, state), (scores, renewed) = interpreter.get_input_details(), interpreter.get_output_details()
    expected, current = [], np.zeros(state["shape"], np.float32)
    for each in stored:
        interpreter.set_tensor(row["index"], each)
        interpreter.set_tensor(state["index"], current)
        interpreter.invoke()
        expected.append(interpreter.get_tensor(scores["index"]))
        current = interpreter.get_tensor(renewed["index"])
    np.testing.assert_array_equal(streamed(held, frames), probabilities(held, expected))


def test_states_in_variables_are_refused_with_the_reason(tmp_path):
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows" / "a.npy", np.zeros((60, 40), np.float32))
    with pytest.raises(
        ModelError, match=r"states in variables \(VAR_HANDLE\) in .*, which the interpreter cannot reset"
    ):
        converted(theirs("mww_vad.tflite").read_bytes(), tmp_path, tmp_path)


assert CLASSES == 3, "the clips have as many classes"
