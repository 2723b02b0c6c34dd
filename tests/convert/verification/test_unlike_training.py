"""A warning for a trained model that seems to guess on the clips."""

import pytest

from convert.verification.stages import ProofStage, unlike_training


def stage(accuracy, clips):
    return ProofStage(name="float Keras", clips=clips, agreement=1.0, max_abs_error=0.0, accuracy=accuracy)


@pytest.mark.parametrize(
    ("accuracy", "clips", "classes", "is_warned"),
    [
        (0.5, 60, 2, True),
        (0.59, 60, 2, True),
        (0.65, 60, 2, False),
        (0.5, 9, 2, False),
        (0.5, 10, 2, True),
        (0.2, 60, 10, False),
        (0.1, 60, 10, True),
        (None, 60, 2, False),
    ],
)
def test_a_model_that_guesses_is_told_of_with_the_options_that_may_be_wrong(accuracy, clips, classes, is_warned):
    sentences = unlike_training(stage(accuracy, clips), classes)
    assert bool(sentences) == is_warned
    assert all(
        option in sentence for sentence in sentences for option in ("--color", "--range", "--interval", "--labels")
    )
