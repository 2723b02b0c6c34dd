import importlib.util

from tests.docs.pages import ROOT
from tests.models.zoo import ZOO


def load():
    """Import the program that writes the table, which is no package."""
    spec = importlib.util.spec_from_file_location("supported_layers", ROOT / "scripts" / "supported_layers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readmes_table_of_supported_layers_is_the_one_that_the_tests_prove():
    program, text = load(), (ROOT / "docs" / "reference" / "models.md").read_text()
    assert len(program.BLOCK.findall(text)) == 1
    assert program.filled(text) == text, "run: python scripts/supported_layers.py"


def test_every_specimen_is_in_the_table():
    table = "\n".join(load().rows())
    assert all(specimen.row in table for specimen in ZOO.values())
