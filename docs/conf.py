"""Sphinx configuration: `make docs` builds the site into build/docs, with warnings as errors."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "_ext")]

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
project = _PROJECT["name"]
author = _PROJECT["authors"][0]["name"]
project_copyright = author
release = version = _PROJECT["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxarg.ext",
    "sphinx_copybutton",
    "layers",
    "docstrings",
]
exclude_patterns = ["examples/**"]
# Headings are link targets, as on a code host, down to the third level.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
# Links to files of the repository outside of docs/ are checked by tests/docs.
# sphinx-argparse registers a domain of its own, which MyST asks for references in vain.
suppress_warnings = ["myst.xref_missing", "myst.domains"]
nitpicky = False

# Single backticks in docstrings are code; "--option" keeps its dashes.
default_role = "code"
smartquotes = False

html_theme = "furo"
html_title = f"edgevid {release}"
html_static_path = ["_static"]
# Nothing is loaded from elsewhere: the site can be read, and searched, from a disk.
html_theme_options = {"sidebar_hide_name": False}
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# "Cost:" on the hot path, "Source:" of a formula, format or fact.
napoleon_custom_sections = ["Cost", "Source"]

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
