"""`edgevid run --config`: the options of a file are parsed, and rejected, like those of the command line."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.api.outputs import CLIPS_MIB
from edgevid.commands.run import expand
from edgevid.commands.run_options import outputs
from edgevid.errors import DeploymentError, UsageError
from tests.repo.files import ROOT

SHIPPED = str(resources.files("edgevid") / "data" / "gestures.edgevid")


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "deployment.toml"
        path.write_text(text)
        return str(path)

    return write


def parsed(argv: list[str]):
    parser = cli.verb_parser("run")
    return parser.parse_args(expand(argv, parser))


def test_every_option_of_run_may_stand_in_the_file(write) -> None:
    text = "\n".join(f"{name} = {value}" for name, value in examples().items())
    args = parsed(["--config", write(text)])
    assert [str(path) for path in args.bundles] == ["a.edgevid", "b.edgevid"]
    assert (args.source, args.threads, args.delegate.kind, args.max_frames, args.stall, args.json) == (
        "synthetic:7",
        "auto",
        "xnnpack",
        600,
        5.5,
        True,
    )
    assert (args.rotate, args.flip, args.stream) == (90, "vertical", 0)


def examples() -> dict[str, str]:
    """A legal value for each option with a reader of its own. The other options have tests elsewhere."""
    return {
        "bundles": '["a.edgevid", "b.edgevid"]',
        "source": '"synthetic:7"',
        "threads": '"auto"',
        "delegate": '"xnnpack"',
        "max-frames": "600",
        "stall": "5.5",
        "rotate": "90",
        "flip": '"vertical"',
        "stream": "0",
        "json": "true",
    }


def test_names_may_be_written_with_either_dash_and_in_tables(write) -> None:
    args = parsed(
        [
            "--config",
            write('bundles = "a.edgevid"\n[input]\nsource = "synthetic"\nmax_frames = 9\n[model]\nthreads = 2\n'),
        ]
    )
    assert (args.source, args.max_frames, args.threads, [path.name for path in args.bundles]) == (
        "synthetic",
        9,
        2,
        ["a.edgevid"],
    )


def test_the_command_line_wins(write) -> None:
    path = write('bundles = ["a.edgevid"]\nsource = "synthetic:1"\nthreads = 4\nstall = 3\n')
    args = parsed(["--threads", "1", "b.edgevid", f"--config={path}", "--source=synthetic:2"])
    assert (args.threads, args.source, args.stall) == (1, "synthetic:2", 3.0)
    assert [path.name for path in args.bundles] == ["b.edgevid"]


def test_an_options_value_on_the_command_line_is_not_taken_for_a_bundle(write) -> None:
    args = parsed(["--threads", "2", "--json", "--config", write('bundles = ["a.edgevid"]\nsource = "synthetic"\n')])
    assert [path.name for path in args.bundles] == ["a.edgevid"]
    assert args.json


def test_the_value_of_a_shortened_option_is_not_taken_for_a_bundle(write) -> None:
    path = write('bundles = ["a.edgevid"]\nsource = "synthetic"\n')
    args = parsed(["--thr", "2", "--js", "--config", path])
    assert ([path.name for path in args.bundles], args.threads, args.json) == (["a.edgevid"], 2, True)
    args = parsed(["--motion-gate", "--source", "synthetic:2", "--config", path])
    assert ([path.name for path in args.bundles], args.source) == (["a.edgevid"], "synthetic:2")
    args = parsed(["--thr=2", "--config", path, "--", "b.edgevid"])
    assert [path.name for path in args.bundles] == ["b.edgevid"]


@pytest.mark.parametrize(
    "line",
    [
        "webhook = ['https://me:geheim@host/x']",
        "mqtt = {url = 'mqtt://me:geheim@host'}",
        "source = ['rtsp://me:geheim@host']",
        "json = 'geheim'",
        "bundles = [['geheim']]",
        "source = 'picamera2'\n[camera]\ntoken = ['geheim']",
        "camera = 'geheim'",
        "threads = ['geheim']",
    ],
)
def test_no_message_about_a_configuration_shows_a_value_of_it(write, line: str) -> None:
    with pytest.raises((DeploymentError, UsageError)) as refused:
        parsed(["--config", write(line), SHIPPED])
    assert "geheim" not in str(refused.value)


def test_the_cameras_controls_go_behind_the_sources_address(write) -> None:
    table = "[camera]\nsize = [640, 480]\nfps = 30\nexposure_us = 8000.5\nhflip = true\n"
    args = parsed(["--config", write(f'bundles = ["a"]\nsource = "picamera2"\n{table}')])
    assert args.source == "picamera2?size=640x480&fps=30&exposure_us=8000.5&hflip=1"
    args = parsed(["--config", write('bundles = ["a"]\nsource = "v4l2:0?fps=25"\n[camera]\ngain = 2\n')])
    assert args.source == "v4l2:0?fps=25&gain=2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "treads = 2",
            r"a key of .*deployment\.toml, one of bundles, .*threads.*got 'treads'\. Did you mean 'threads'\?",
        ),
        ("config = 'other.toml'", "a key of"),
        ("help = true", "a key of"),
        ("json = 1", "true or false for json"),
        ("json = 'yes'", "true or false for json"),
        ("stall = '10'", "a number for stall"),
        ("stall = true", "a number for stall"),
        ("source = 3", "a text for source"),
        ("max-frames = [1, 2]", "a text or a number for max_frames"),
        ("bundles = 3", "an array of them"),
        ("bundles = []", "an array of them"),
        ("bundles = ['a', 1]", "an array of them"),
        ("threads = 1\n[more]\nthreads = 2", "once, got 'threads' twice"),
        ("max-frames = 1\nmax_frames = 2", "once, got 'max_frames' twice"),
        ("threads =", "TOML"),
        ("camera = 3", r"\[camera\]"),
        ("[camera]\nfps = 30", "with a source"),
        ("source = 'picamera2'\n[camera]\nsize = [1, 2, 3]", "camera.size"),
        ("source = 'picamera2'\n[camera]\nwhen = 2026-01-01", "camera.when"),
    ],
)
def test_what_is_unknown_or_of_a_wrong_type_is_refused_with_what_is_legal(
    write, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(text)
    with pytest.raises(DeploymentError, match=says):
        parsed(["--config", path, SHIPPED])
    assert cli.main(["run", "--config", path, SHIPPED]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_value_that_the_option_refuses_is_refused_in_its_words(write, capsys: pytest.CaptureFixture[str]) -> None:
    for line, says in (
        ("threads = 0", "whole number of at least 1, got '0'"),
        ("delegate = 'cuda'", "Expected a delegate, one of auto"),
    ):
        with pytest.raises(SystemExit) as left:
            cli.main(["run", "--config", write(f"source = 'synthetic'\n{line}"), SHIPPED])
        assert left.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["--config"], ["--config="], ["--config", "a.toml", "--config", "b.toml"], ["--config", "nowhere.toml"]]
)
def test_the_file_is_named_once_and_is_there(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        expand(argv, cli.verb_parser("run"))


def test_a_shortened_option_is_refused_and_not_passed_over(write, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", SHIPPED, "--source", "synthetic", "--conf", write("threads = 2")]) == 2
    assert "written in full" in capsys.readouterr().err


def test_a_run_from_a_file_alone(write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(f"bundles = [{json.dumps(SHIPPED)}]\nsource = 'synthetic:3'\nmax-frames = 60\njson = true\n")
    assert cli.main(["run", "--config", path]) == 0
    assert all(
        "t_s" in json.loads(line) or "event" in json.loads(line) for line in capsys.readouterr().out.splitlines()
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "1e300", "soon"])
@pytest.mark.parametrize("words", [["run", SHIPPED, "--source", "synthetic", "--stall"], ["demo", "--seconds"]])
def test_a_time_that_no_clock_can_count_is_rejected(
    words: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*words[:-1], f"{words[-1]}={value}"])
    assert left.value.code == 2
    assert f"Expected a number of seconds above 0, got '{value}'." in capsys.readouterr().err


def test_the_file_on_the_page_is_one_that_run_takes(write) -> None:
    page = (ROOT / "docs" / "how-to" / "run-unattended.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    args = parsed(["--config", write(example)])
    assert args.source == "picamera2?fps=30&exposure_us=8000&hflip=1"
    assert (args.clips_mib, args.metrics, args.threads) == (2048, "127.0.0.1:9464", "auto")


def test_the_space_for_clips_that_the_help_names_is_the_outputs() -> None:
    assert outputs.CLIPS_MIB == CLIPS_MIB
