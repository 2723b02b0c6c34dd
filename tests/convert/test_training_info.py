import json
import zipfile

import pytest

from convert.training_info import MEMBER, TrainingInfo, read_info, write_info
from edgevid.bundle.manifest import Window
from edgevid.errors import ContractError, ModelError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec

INFO = TrainingInfo(
    labels=("none", "wave"),
    window=Window(frames=16, interval_s=0.1),
    input=InputSpec(height=64, width=80, channels=1, color="gray", resize="crop"),
    decision=DecisionRule(background=("none",)),
)


def a_model_file(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"weights")
    return path


def test_what_is_written_is_read_again_and_the_other_members_stay(tmp_path):
    path = a_model_file(tmp_path / "m.keras")
    write_info(path, INFO)
    assert read_info(path) == INFO
    with zipfile.ZipFile(path) as archive:
        assert (archive.read("config.json"), archive.read("model.weights.h5")) == (b"{}", b"weights")


def test_writing_again_replaces_the_first(tmp_path):
    path = a_model_file(tmp_path / "m.keras")
    write_info(path, TrainingInfo(labels=("a", "b"), window=INFO.window, input=INFO.input))
    write_info(path, INFO)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist().count(MEMBER) == 1
    assert read_info(path) == INFO


@pytest.mark.parametrize("content", [b"no zip at all", b""])
def test_a_file_that_is_no_archive_has_no_information(tmp_path, content):
    path = tmp_path / "m.h5"
    path.write_bytes(content)
    assert read_info(path) is None


def test_a_keras_file_of_someone_else_has_no_information(tmp_path):
    assert read_info(a_model_file(tmp_path / "m.keras")) is None


def test_information_is_refused_where_there_is_no_archive_and_the_file_stays(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(b"hdf5")
    with pytest.raises(ModelError, match="zip archive"):
        write_info(path, INFO)
    assert path.read_bytes() == b"hdf5"
    assert list(tmp_path.iterdir()) == [path]


def damaged(**changes):
    return json.dumps(
        {"labels": ["a", "b"], "window": {"frames": 4, "interval_s": 0.1, "sampling": "interval"}, **changes}
    )


@pytest.mark.parametrize(
    "text", ["not json", "[]", "{}", damaged(), damaged(labels="ab"), damaged(extra=1), "[" * 100_000]
)
def test_damaged_information_is_refused_in_one_line(tmp_path, text):
    path = a_model_file(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, text)
    with pytest.raises(ModelError, match=MEMBER) as caught:
        read_info(path)
    assert "\n" not in str(caught.value)


def test_a_background_that_is_no_class_is_refused():
    with pytest.raises(ContractError, match="background"):
        TrainingInfo(labels=("a", "b"), window=INFO.window, input=INFO.input, decision=DecisionRule(background=("c",)))
