"""The command line as a whole."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgevid import __version__, cli, errors

OPTIONS = {
    "train": [
        "CLIPS",
        "-o",
        "--check",
        "--json",
        "--videos",
        "--fps",
        "--background",
        "--allow-duplicates",
        "--frames",
        "--size",
        "--interval",
        "--group-by",
        "--epochs",
        "--teacher",
        "--unlabelled",
        "--temperature",
        "--teacher-share",
        "--fine-tune",
        "--workers",
    ],
    "evaluate": ["MODEL_OR_BUNDLE", "CLIPS", "--json", "--videos", "--fps", "--split"],
    "label": ["VIDEO", "--output", "--label", "--labels", "--port"],
    "calibrate": ["BUNDLE", "--streams", "--truth", "--max-false-per-hour", "--min-background-h", "-o", "--json"],
    "truth": ["FILE", "--streams", "-o", "--tier", "--point", "--rest-is-empty", "--json"],
    "keypoints": ["CLIPS", "-o", "--points", "--length", "--normalise", "--interval", "--videos", "--fps"],
    "convert": [
        "MODEL",
        "--clips",
        "-o",
        "--labels",
        "--color",
        "--range",
        "--interval",
        "--plan",
        "--precision",
        "--max-drop",
        "--prune",
        "--prune-epochs",
        "--json",
    ],
    "fetch keypoints": ["--wheel"],
    "inspect": ["BUNDLE", "--json"],
    "selftest": ["BUNDLE", "--threads", "--delegate"],
    "run": ["BUNDLE", "--config", "--source", "--json", "--threads", "--delegate", "--max-frames"],
    "demo": ["--json"],
    "doctor": ["--json"],
    "bench": ["BUNDLE", "--threads", "--scenario", "--min-frames", "--size", "--floor", "--strict", "--json", "-o"],
    "bench compare": ["OLD", "NEW", "--stage", "--tolerance", "--across", "--even-invalid", "--json"],
    "bench check": ["RESULT", "--strict"],
    "bench page": ["RESULT", "-o"],
    "bench profile": ["BUNDLE", "--threads", "--rounds", "--trace", "--json", "-o", "--on"],
    "bench reference": ["--bundles", "--short", "--check", "--threads", "-o"],
    "bench sweep": ["BUNDLE", "--over", "--threads", "--min-frames", "-o"],
    "fit": ["BUNDLE", "--threads", "--json"],
    "tune show": ["--state", "--json"],
    "tune set": ["--state"],
    "tune reset": ["--state"],
    "flash": ["DEPLOYMENT", "--to", "--yes", "--wheels", "--json"],
    "install-service": ["DEPLOYMENT", "--yes", "--wheels"],
    "deploy": ["BUNDLE", "--to", "--trial-s", "--no-wait", "--json"],
    "image": ["build", "DEPLOYMENT", "--output", "--suite", "--cache", "--wheels", "--json"],
    "add-twin": ["BUNDLE", "COMPILED", "--out"],
    "activate": ["BUNDLE", "--slots", "--trial-s", "--starts", "--restart", "--json"],
    "rollback": ["--slots", "--restart", "--json"],
    "slots": ["--slots", "--json"],
}


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch):
    """Replace the verb "inspect" by one that raises."""

    def install(error: BaseException, *, module: str = "edgevid.commands.inspect") -> None:
        def run(_args: argparse.Namespace) -> int:
            raise error

        monkeypatch.setitem(cli.VERBS, "inspect", cli.Verb(module, "fails"))
        monkeypatch.setattr(
            cli.importlib, "import_module", lambda _name: SimpleNamespace(configure=lambda parser: None, run=run)
        )
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(__doc__="Fail."))

    return install


def test_every_verb_is_documented_here() -> None:
    assert set(OPTIONS) == set(cli.VERBS)


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_help_of_every_verb_names_its_options_and_gives_an_example(verb: str) -> None:
    text = cli.verb_parser(verb).format_help()
    assert f"usage: edgevid {verb}" in text
    missing = [option for option in OPTIONS[verb] if option not in text]
    assert not missing
    assert f"\n  edgevid {verb}" in text


def test_the_overview_has_one_line_for_each_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, verb in cli.VERBS.items():
        assert f"  {name:<17}{verb.help}" in lines


def test_no_command_shows_the_overview_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgevid {__version__}\n"


def test_an_unknown_verb_names_the_legal_ones_and_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["insepct"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("edgevid: Expected a command, one of train, evaluate, label, truth, keypoints, convert,")
    assert "Did you mean 'inspect'?" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(("word", "verb"), [("fetch", "fetch keypoints"), ("tune", "tune show")])
def test_half_of_a_verb_names_the_whole_one(word: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([word, "--help"]) == 2
    assert f"Did you mean {verb!r}?" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["inspect", "x.edgevid", "--jsno"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --jsno" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BundleTruncated("Expected more."), 1),
        (errors.UsageError("Expected a file."), 2),
        (errors.SelftestFailed("Expected it."), 3),
        (OSError("Full."), 1),
    ],
    ids=["failed", "usage", "verification", "system"],
)
def test_an_error_is_one_line_and_its_exit_code(
    fail_with, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    fail_with(error)
    assert cli.main(["inspect"]) == code
    assert capsys.readouterr().err == f"edgevid: {error}\n"


def test_ctrl_c_ends_quietly_with_130(fail_with, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(KeyboardInterrupt())
    assert cli.main(["inspect"]) == 130
    assert capsys.readouterr().err == ""


def test_a_package_of_the_convert_extra_that_is_missing_is_one_line(
    fail_with, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow"), module="convert.commands.fails")
    assert cli.main(["inspect"]) == 2
    message = capsys.readouterr().err
    assert "'tensorflow' for 'edgevid inspect'" in message
    assert "pip install 'edgevid[convert]'" in message
    assert message.count("\n") == 1


def test_a_module_of_ours_that_is_missing_is_not_blamed_on_the_user(fail_with) -> None:
    fail_with(
        ModuleNotFoundError("No module named 'convert.gone'", name="convert.gone"), module="convert.commands.fails"
    )
    with pytest.raises(ModuleNotFoundError):
        cli.main(["inspect"])


def test_a_reader_that_goes_away_ends_the_program_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = "import sys; from edgevid.cli import main; sys.exit(main(['--help']))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("arguments", [["--version"], ["slots", "--slots", "."], ["run", "x", "--source", "y"]])
def test_a_closed_standard_output_is_one_line_and_a_usage_error(arguments: list[str]) -> None:
    command = f"exec {sys.executable} -m edgevid.cli {' '.join(arguments)} >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("edgevid: Expected an open standard output, got a closed one.")
    assert done.stderr.count("\n") == 1


def test_closed_input_and_error_streams_end_no_command_and_their_numbers_go_to_no_file() -> None:
    program = "import os; from edgevid.cli import main; assert main(['--version']) == 0; print(os.open('/', 0))"
    command = f'exec {sys.executable} -c "{program}" <&- 2>&-'
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["edgevid", __version__, "3"])


def test_looking_at_the_overview_imports_no_verb_and_not_even_numpy() -> None:
    script = (
        "import sys; from edgevid.cli import main; main(['--help']); "
        "sys.exit(int(any(name == 'numpy' or '.commands' in name for name in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0
