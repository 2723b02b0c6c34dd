"""One line of what a framework says in many."""

import pytest

from convert.frameworks.messages import LONGEST, reason_of


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("plain", "plain"),
        ("\n  first\nsecond", "first"),
        (
            "Exception encountered when calling Odd.call().\n\n\x1b[1mnot today\x1b[0m\n\nArguments received",
            "not today",
        ),
        ('in user code:\n\n    File "/x.py", line 3, in f\n    ValueError: no\n', "ValueError: no"),
        ("", "KeyError"),
        ("x" * 1000, "x" * LONGEST),
    ],
)
def test_the_line_that_says_what_is_wrong_is_found(message, line):
    assert reason_of(KeyError() if not message else ValueError(message)) == line
