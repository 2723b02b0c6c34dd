import importlib.util
import json
import re
import sys

import pytest

from tests.docs.pages import PAGES, ROOT

MEASURED = re.compile(r"\d\s*(?:ms|us|µs|MB|MiB|kB|%|points?)(?![\w])")


def load():
    """Import the program that fills the pages, which is no package."""
    spec = importlib.util.spec_from_file_location("pages_program", ROOT / "benchmarks" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["pages_program"] = module
    spec.loader.exec_module(module)
    return module


PROGRAM = load()
TEMPLATE = (
    "<!-- numbers: results/a.json\n| import | {numbers[import_s][p50]:.2f} s |\n-->\n| import | 0.99 s |\n"
    "<!-- /numbers -->\n"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_marked_number_is_the_one_in_its_results_file(page):
    text = page.read_text()
    assert text.count("<!-- numbers:") == text.count("<!-- /numbers -->") == len(PROGRAM.BLOCK.findall(text))
    assert PROGRAM.filled(text) == text


@pytest.mark.parametrize("page", ["README.md", "docs/reference/benchmarks.md"])
def test_each_measured_quantity_in_a_table_or_list_of_these_pages_is_marked(page):
    unmarked = PROGRAM.BLOCK.sub("", (ROOT / page).read_text())
    assert [line for line in unmarked.splitlines() if line.startswith(("|", "- ")) and MEASURED.search(line)] == []


def test_the_numbers_of_a_block_are_written_from_its_file(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text(json.dumps({"numbers": {"import_s": {"p50": 0.1234}}}))
    page = PROGRAM.filled(f"before\n{TEMPLATE}after\n", tmp_path)
    assert page == f"before\n{TEMPLATE.replace('0.99', '0.12')}after\n"
    assert PROGRAM.filled(page, tmp_path) == page


@pytest.mark.parametrize(("content", "error"), [(None, FileNotFoundError), ({"numbers": {}}, KeyError)])
def test_a_block_without_its_file_or_number_is_an_error(tmp_path, content, error):
    (tmp_path / "results").mkdir()
    if content is not None:
        (tmp_path / "results" / "a.json").write_text(json.dumps(content))
    with pytest.raises(error):
        PROGRAM.filled(TEMPLATE, tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda path: path.name)
def test_each_results_file_says_on_what_it_was_measured(path):
    environment = json.loads(path.read_text())["environment"]
    assert environment["commit"]
    assert environment["machine"]["cpu"]
    assert environment["machine"]["os"]
    assert environment["versions"]["edgevid"]
