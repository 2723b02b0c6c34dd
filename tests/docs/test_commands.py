import re

import pytest

from edgevid import cli
from tests.docs.pages import PAGES, ROOT, shell_commands, simple_commands

COMMANDS = [(page, words) for page in PAGES for words in shell_commands(page.read_text())]
OURS = [pytest.param(words, id=f"{page.name}: {' '.join(words)}") for page, words in COMMANDS if words[0] == "edgevid"]
MAKES = [
    pytest.param(words[1:], id=f"{page.name}: {' '.join(words)}") for page, words in COMMANDS if words[0] == "make"
]
PROGRAMS = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)}")
    for page, words in COMMANDS
    if words[0] in ("python", "python3")
]


def parse(words):
    """Parse a command line with the real parser; asking for help or the version is fine."""
    if words[1:2] and words[1] in ("--help", "--version"):
        return
    if "--config" in words:  # what its file says is not known here
        words = [*words, "any.edgevid", "--source", "any"]
    verb, rest = cli.split_verb(words[1:])
    try:
        cli.verb_parser(verb).parse_args(rest)
    except SystemExit as end:
        assert end.code == 0, words


@pytest.mark.parametrize("words", OURS)
def test_each_edgevid_command_in_the_pages_is_one_that_the_command_line_takes(words):
    parse(words)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_each_example_in_a_help_text_is_one_that_the_command_line_takes(verb):
    parser = cli.verb_parser(verb)
    lines = [line.strip() for line in f"{parser.epilog or ''}\n{parser.description or ''}".splitlines()]
    examples = [
        words
        for line in lines
        if line.startswith("edgevid ")
        for words in simple_commands(line)
        if words[0] == "edgevid"
    ]
    assert examples
    for words in examples:
        parse(words)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_each_verb_is_shown_on_a_page_and_in_the_reference(verb):
    assert any(words[0] == "edgevid" and cli.split_verb(words[1:])[0] == verb for _, words in COMMANDS)
    section = f":func: {verb.replace('-', '_').replace(' ', '_')}\n   :prog: edgevid {verb}\n"
    assert section in (ROOT / "docs" / "reference" / "cli.rst").read_text()


@pytest.mark.parametrize("targets", MAKES)
def test_each_make_target_in_the_pages_is_in_the_makefile(targets):
    rules = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {word for word in targets if "=" not in word and not word.startswith("-")} <= set(rules)


@pytest.mark.parametrize("words", PROGRAMS)
def test_each_python_program_in_the_pages_is_there(words):
    if words[1] == "-m" and words[2].partition(".")[0] in ("edgevid", "convert"):
        path = ROOT.joinpath(*words[2].split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
    elif words[1].endswith(".py") and "/" in words[1]:
        assert (ROOT / words[1]).is_file()


def test_commands_are_found_as_a_reader_would_type_them():
    page = (
        "text\n```sh\n$ edgevid run a.edgevid --source 'my clip.mp4' | head  # why\n"
        "make demo && edgevid demo > out.txt\nedgevid \\\n  demo\n```\n```python\nedgevid x\n```\n"
    )
    assert shell_commands(page) == [
        ["edgevid", "run", "a.edgevid", "--source", "my clip.mp4"],
        ["head"],
        ["make", "demo"],
        ["edgevid", "demo"],
        ["edgevid", "demo"],
    ]
