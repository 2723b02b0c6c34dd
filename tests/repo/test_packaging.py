import re
import tomllib
from pathlib import Path

import edgevid
from tests.repo.files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower()


def test_the_version_is_one_and_the_same():
    assert PROJECT["version"] == edgevid.__version__


def test_the_changelog_begins_with_this_version_in_whole_sentences():
    changelog = Path(ROOT / "CHANGELOG.md").read_text()
    first = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", changelog, flags=re.MULTILINE)
    assert first is not None
    assert first[1] == edgevid.__version__
    entries = re.findall(r"^- (.+(?:\n  .+)*)", changelog, flags=re.MULTILINE)
    assert entries
    assert [entry for entry in entries if not entry.rstrip().endswith((".", ":"))] == []


def test_the_device_needs_numpy_and_the_interpreter_and_nothing_more():
    assert sorted(map(name_of, PROJECT["dependencies"])) == ["ai-edge-litert", "numpy"]


def test_the_extras_are_those_that_the_messages_and_pages_name():
    assert {"opencv", "picamera", "mqtt", "metrics", "web", "convert", "dev"} <= set(EXTRAS)
    assert {"tensorflow", "tf-keras", "opencv-python-headless", "scikit-learn", "matplotlib", "rich", "jinja2"} <= set(
        map(name_of, EXTRAS["convert"])
    )
    assert "pycoral" not in {name_of(requirement) for extra in EXTRAS.values() for requirement in extra}, (
        "an unrelated package has that name"
    )


def test_every_extra_that_an_error_message_names_is_there():
    sources = [path.read_text() for folder in ("edgevid", "convert") for path in (ROOT / folder).rglob("*.py")]
    named = {extra for text in sources for extra in re.findall(r"edgevid\[([a-z]+)\]", text)}
    assert named
    assert named <= set(EXTRAS)


def test_every_python_that_is_promised_is_classified():
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    minors = [entry.rsplit(" ", 1)[1] for entry in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", entry)]
    assert minors == ["3.11", "3.12", "3.13"]


def test_the_console_script_is_the_command_line():
    module, _, function = PROJECT["scripts"]["edgevid"].partition(":")
    assert (module, function) == ("edgevid.cli", "main")


def test_each_package_says_that_it_is_typed():
    for package in ("edgevid", "convert"):
        assert (ROOT / package / "py.typed").is_file()
