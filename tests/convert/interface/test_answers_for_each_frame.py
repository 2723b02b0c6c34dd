"""Models with an answer for each frame of the window: one frame's is delivered, and events lie where they happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert import Options, convert_model, evaluate_streams
from convert.evaluation import EvaluateOptions
from convert.stream_evaluation import StreamOptions
from edgevid import bundle
from edgevid.cli import main
from edgevid.errors import UsageError
from edgevid.events.rule import ClassDelay

pytestmark = pytest.mark.tf
FRAMES, INTERVAL_S = 8, 0.1
LABELS = ("loud", "rest", "soft")


def segmenting(frames: int = FRAMES) -> Any:
    """A temporal convolution over two numbers a row, which looks one row back and one ahead."""
    import keras

    rows = keras.Input((frames, 2))
    answer = keras.layers.Conv1D(3, 3, padding="same", activation="softmax")
    model = keras.Model(rows, answer(rows))
    kernel = np.zeros((3, 2, 3))
    kernel[:, 0, 0] = kernel[:, 1, 2] = 5.0
    answer.set_weights([kernel, np.array([-4.0, 0.0, -4.0])])
    return model


def stepwise(layer: Callable[[Any], Any], frames: int = FRAMES) -> Any:
    """A recurrent layer that answers at each step."""
    import keras

    keras.utils.set_random_seed(3)
    rows = keras.Input((frames, 2))
    return keras.Model(rows, keras.layers.TimeDistributed(keras.layers.Dense(3, activation="softmax"))(layer(rows)))


def rows_of(*parts: tuple[float, float, float]) -> np.ndarray:
    """Rows of stretches, each as seconds and the two numbers."""
    counts = [round(seconds / INTERVAL_S) for seconds, *_ in parts]
    return np.repeat(np.array([numbers for _, *numbers in parts], np.float32), counts, axis=0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its clips, and a recording of two events."""
    folder = tmp_path_factory.mktemp("dense")
    segmenting().save(folder / "model.keras")
    for label, numbers in {"loud": (1.0, 0.0), "rest": (0.0, 0.0), "soft": (0.0, 1.0)}.items():
        (folder / "clips" / label).mkdir(parents=True)
        for number in range(4):
            np.save(folder / "clips" / label / f"{number}.npy", rows_of((2.0, *numbers)))
    (folder / "streams").mkdir()
    rest = (2.0, 0.0, 0.0)
    np.save(folder / "streams" / "day.npy", rows_of(rest, (2.0, 1.0, 0.0), rest, (2.0, 0.0, 1.0), rest))
    (folder / "events.csv").write_text("path,label,start_s,end_s\nday.npy,loud,2,4\nday.npy,soft,6,8\n")
    return folder


def converted(place: Path, out: Path, **changes: Any) -> bundle.Bundle:
    usual: dict[str, Any] = {"interval": INTERVAL_S, "background": ("rest",)}
    convert_model(place / "model.keras", place / "clips", out, options=Options(**(usual | changes)))
    return bundle.read(out)


@pytest.mark.parametrize("look_ahead", [0, 3])
def test_events_lie_where_they_happened_however_far_the_model_looks_ahead(
    place: Path, tmp_path: Path, look_ahead: int
) -> None:
    made = converted(place, tmp_path / "m.edgevid", look_ahead=look_ahead)
    late_s = look_ahead * INTERVAL_S
    assert [(each.label, each.start_s, each.end_s) for each in made.manifest.decision.delays] == [
        (label, pytest.approx(late_s), pytest.approx(late_s)) for label in LABELS
    ]
    result = evaluate_streams(tmp_path / "m.edgevid", place / "streams", place / "events.csv")
    assert (result.metrics.recall.hits, result.metrics.false_alarms.count) == (2, 0)
    (recording,) = result.recordings
    for event, real in zip(recording.events, recording.truth, strict=True):
        # What is left is the smoothing of 0.2 s. Half of the window would be 0.35 s.
        assert event.start_s == pytest.approx(real.start_s, abs=0.15)
        assert event.end_s == pytest.approx(real.end_s, abs=0.25)
        assert event.announced_s == pytest.approx(real.start_s + late_s + 0.3, abs=0.2)


def test_the_model_is_evaluated_as_its_bundle_is(place: Path, tmp_path: Path) -> None:
    converted(place, tmp_path / "m.edgevid", look_ahead=3)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(LABELS))
    described = EvaluateOptions(labels=labels, interval=INTERVAL_S, look_ahead=3)
    of_bundle = evaluate_streams(tmp_path / "m.edgevid", place / "streams", place / "events.csv")
    of_model = evaluate_streams(
        place / "model.keras", place / "streams", place / "events.csv", options=StreamOptions(model=described)
    )
    scores = [each.recordings[0].trace.scores for each in (of_bundle, of_model)]
    assert np.abs(scores[0] - scores[1]).max() < 0.05
    assert of_model.model.rule.delays == tuple(
        ClassDelay(label=each, start_s=3 * 0.1, end_s=3 * 0.1) for each in LABELS
    )


@pytest.mark.parametrize("look_ahead", [0, 1, 7])
def test_the_answer_is_that_of_the_frame_so_far_before_the_newest(look_ahead: int) -> None:
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    model = segmenting()
    windows = np.random.default_rng(0).normal(size=(1, FRAMES, 2)).astype(np.float32)
    arranged = arrange(model, look_ahead=look_ahead)
    expected = np.asarray(model(windows))[:, FRAMES - 1 - look_ahead]
    np.testing.assert_allclose(np.asarray(arranged.ask(windows)), expected, atol=1e-6)
    (scores,) = split(arranged.graph).whole.function(windows)
    np.testing.assert_allclose(np.asarray(scores), expected, atol=1e-6)


def test_a_recurrent_layer_that_answers_at_each_step_is_carried_from_frame_to_frame() -> None:
    import keras

    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    causal = split(arrange(stepwise(keras.layers.LSTM(4, return_sequences=True))).graph)
    assert (causal.not_causal, causal.in_flight) == ("", True)


def test_a_bidirectional_layer_that_looks_ahead_converts_within_its_budget(place: Path, tmp_path: Path) -> None:
    import keras

    model = stepwise(keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)))
    model.save(tmp_path / "bi.keras")
    options = Options(interval=INTERVAL_S, look_ahead=4, min_agreement=0.9, max_drop=100)
    made = convert_model(tmp_path / "bi.keras", place / "clips", tmp_path / "bi.edgevid", options=options)
    assert made.report["stages"][2]["max_abs_error"] == made.report["stages"][3]["max_abs_error"]
    assert any("the answer to the frame 4 before the newest is delivered" in note for note in made.report["notes"])


def test_the_choice_of_the_newest_frame_is_a_note(place: Path, tmp_path: Path) -> None:
    made = converted(place, tmp_path / "m.edgevid")
    assert any("the newest frame's answer is delivered; --look-ahead N" in note for note in made.report["notes"])


@pytest.mark.parametrize(
    ("look_ahead", "message"),
    [(8, "--look-ahead of 0 to 7 frames, got 8"), (-1, "--look-ahead of 0 to 7 frames, got -1")],
)
def test_a_look_ahead_beyond_the_window_is_one_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], look_ahead: int, message: str
) -> None:
    asked = ["convert", str(place / "model.keras"), "--clips", str(place / "clips"), "--interval", "0.1", "--json"]
    assert main([*asked, "-o", str(tmp_path / "m.edgevid"), f"--look-ahead={look_ahead}"]) == 2
    assert message in json.loads(capsys.readouterr().out)["error"]


def test_a_look_ahead_of_a_model_with_one_answer_is_refused() -> None:
    import keras

    from convert.interface.window_to_scores import arrange

    rows = keras.Input((FRAMES, 2))
    single = keras.Model(rows, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling1D()(rows)))
    with pytest.raises(UsageError, match="a model with scores for each frame of the window for --look-ahead"):
        arrange(single, look_ahead=2)
    assert arrange(single).notes == ()


def test_a_file_that_is_converted_already_takes_no_look_ahead(place: Path, tmp_path: Path) -> None:
    made = converted(place, tmp_path / "m.edgevid", plan="stack", precision="int8")
    (tmp_path / "m.tflite").write_bytes(made.models["whole.tflite"])
    with pytest.raises(UsageError, match="a trained model for --look-ahead"):
        convert_model(
            tmp_path / "m.tflite", place / "clips", tmp_path / "n.edgevid", options=Options(interval=0.1, look_ahead=2)
        )
