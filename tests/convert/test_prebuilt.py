"""`.tflite` files from elsewhere become bundles, or are rejected with the reason."""

import json

import numpy as np
import pytest

from edgevid import bundle
from edgevid.cli import main
from edgevid.errors import ModelError, UsageError
from tests.models.keras_models import cnn_rnn, over_features
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
SHARED = ROOT.parent / "shared" / "models"


@pytest.fixture
def rows(tmp_path):
    """Clips of feature rows without labels."""
    (tmp_path / "clips").mkdir()
    for number in range(8):
        np.save(
            tmp_path / "clips" / f"{number}.npy",
            np.random.default_rng(number).uniform(-1, 1, (12, 10)).astype(np.float32),
        )
    return tmp_path / "clips"


def file_of(workshop, tmp_path, name="stack features", make=lambda: over_features("conv1d"), recipe="int8"):
    """A whole model as a `.tflite` file without a bundle."""
    path = tmp_path / "theirs.tflite"
    path.write_bytes(workshop.bundle(name, make, plan="stack", recipe=recipe).models["whole.tflite"])
    return path


@pytest.mark.parametrize("recipe", ["int8", "float32"])
def test_a_file_becomes_a_bundle_that_gives_its_answers(workshop, tmp_path, rows, recipe):
    from convert import Options, convert_model

    path = file_of(workshop, tmp_path, f"stack features {recipe}", recipe=recipe)
    done = convert_model(path, rows, tmp_path / "out.edgevid", options=Options(interval="uniform"))
    held = bundle.read(done.path)
    trained = workshop.bundle(f"stack features {recipe}", None, plan="stack", recipe=recipe).manifest
    assert (held.manifest.plan, held.manifest.window.frames) == ("stack", 6)
    assert held.manifest.scores == trained.scores, "what the scores are is found by trying"
    assert held.models["whole.tflite"] == path.read_bytes(), "nothing was converted"
    assert (done.report["agreement"], done.report["recipe"]) == (1.0, "as it is")
    assert [stage["name"] for stage in done.report["stages"]] == [
        "the file as it is",
        "bundle, whole window",
        "bundle, stream",
    ]
    assert "no float model" in " ".join(done.report["notes"])
    assert main(["selftest", str(done.path)]) == 0


def test_clips_beyond_what_a_file_was_calibrated_for_are_told_and_taken(workshop, tmp_path):
    """The file was calibrated elsewhere, with other clips."""
    from convert import Options, convert_model

    path = file_of(workshop, tmp_path)
    (tmp_path / "wide").mkdir()
    for number in range(8):
        np.save(
            tmp_path / "wide" / f"{number}.npy",
            np.random.default_rng(number).uniform(-50, 50, (12, 10)).astype(np.float32),
        )
    done = convert_model(path, tmp_path / "wide", tmp_path / "out.edgevid", options=Options(interval="uniform"))
    assert "values beyond are clipped" in " ".join(done.report["warnings"])


def test_a_file_is_its_own_reference_and_its_own_conversion(workshop, tmp_path):
    from convert.open_model import open_model
    from convert.options import Options
    from edgevid.errors import ConversionError
    from edgevid.frames.preprocess import InputSpec

    spec = InputSpec(kind="features", height=1, width=1, channels=10, color="none")
    windows = np.random.default_rng(0).uniform(-1, 1, (3, 6, 10)).astype(np.float32)
    with open_model(file_of(workshop, tmp_path), Options()) as opened:
        reference, whole = opened.reference(opened.parts, spec, "softmax"), opened.parts.whole
        scores = reference.scores(windows)
        assert scores.shape == (3, 3)
        np.testing.assert_array_equal(reference.split_scores(windows), scores)
        assert (reference.values(windows), reference.split_values(windows), reference.rounding(windows)) == ([], [], 0)
        opened.converter.prefetch(whole, "int8", [windows])
        opened.converter.prefetch_layer_errors(whole, [windows])
        part = opened.converter.convert(whole, "float32", [])
        assert part.data == (tmp_path / "theirs.tflite").read_bytes()
        with pytest.raises(ConversionError, match="a float model"):
            opened.converter.part_errors(part, whole, [windows], output="the answer")


def test_the_command_shows_what_a_file_holds(workshop, tmp_path, capsys):
    path = file_of(workshop, tmp_path)
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "CONV_2D" in shown
    assert "runs here: yes" in shown
    assert main(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] is True
    assert found["inputs"][0]["shape"] == [1, 6, 10]


def test_a_damaged_file_is_one_line(workshop, tmp_path, capsys):
    path = file_of(workshop, tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    assert main(["inspect", str(path)]) == 1
    assert capsys.readouterr().err.startswith("edgevid: Expected")


def test_a_file_whose_states_nothing_tells_apart_is_refused(workshop, tmp_path, rows):
    from convert import convert_model

    held = workshop.bundle("stateful lstm", lambda: cnn_rnn("lstm"), plan="stateful")
    (tmp_path / "step.tflite").write_bytes(held.models["step.tflite"])
    with pytest.raises(ModelError, match=r"one output for the state 'input_1' .*, got 'output_1' and 'output_2'"):
        convert_model(tmp_path / "step.tflite", rows, tmp_path / "out.edgevid")
    assert not (tmp_path / "out.edgevid").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("public/needs_flex_lstm.tflite", "Flex"),
        ("apache/keras_lstm_mnist_ptq_edgetpu.tflite", "compiled for the Edge TPU"),
    ],
)
def test_what_no_cpu_can_run_is_refused_by_name(name, says, tmp_path, rows, capsys):
    from convert import convert_model

    path = SHARED / name
    if not path.is_file():
        pytest.skip("needs other people's models in ../shared/models")
    with pytest.raises(ModelError, match=says):
        convert_model(path, rows, tmp_path / "out.edgevid")
    assert main(["inspect", str(path)]) == 0
    assert "runs here: no" in capsys.readouterr().out


def test_a_fused_lstm_begins_each_window_with_zeros():
    from edgevid.backends.litert import LiteRt
    from edgevid.bundle.parts import Part

    path = SHARED / "apache" / "trained_lstm.tflite"
    if not path.is_file():
        pytest.skip("needs other people's models in ../shared/models")
    inputs, outputs = LiteRt().describe(path.read_bytes())
    part = Part(
        role="whole",
        file="whole.tflite",
        precision="float32",
        inputs=tuple(inputs.values()),
        outputs=tuple(outputs.values()),
    )
    model = LiteRt().load(part, path.read_bytes())
    answers = []
    for _ in range(2):
        model.write(0, np.random.default_rng(0).random(part.inputs[0].shape, np.float32))
        model.invoke()
        answers.append(model.read(0))
    np.testing.assert_array_equal(*answers)


def test_options_of_a_stream_belong_to_a_file_with_states(workshop, tmp_path, rows):
    from convert import Options, convert_model

    path = file_of(workshop, tmp_path)
    for options in (Options(states=(("h", "h_out"),)), Options(initial_states=tmp_path / "start.npz")):
        with pytest.raises(UsageError, match="no --state and no --initial-states, got a file of one input"):
            convert_model(path, rows, tmp_path / "out.edgevid", options=options)
        with pytest.raises(UsageError, match=r"a \.tflite file for --state and --initial-states, got a trained model"):
            convert_model(tmp_path / "model.keras", rows, tmp_path / "out.edgevid", options=options)
