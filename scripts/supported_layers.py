"""Write the table of supported layers, docs/reference/models.md, from the specimens that prove each row.

    python scripts/supported_layers.py [--check]

`tests/models/zoo.py` has the specimens, and `tests/parity/test_every_kind_of_model.py` tests each of them.
With --check nothing is written, and the exit status is 1 if the page differs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The tests are not installed.
sys.path.insert(0, str(ROOT))

from edgevid import atomic  # noqa: E402
from tests.models.zoo import BOTH, FEATURES, ZOO, Specimen  # noqa: E402

BLOCK = re.compile(r"<!-- supported -->\n.*?<!-- /supported -->", re.DOTALL)
HEADING = "| a model with | plan | one frame at a time (`stateful`) | built in |\n|---|---|---|---|"


def rows() -> list[str]:
    """Return the rows of the table in Markdown, one for each kind of layer."""
    kinds: dict[str, list[Specimen]] = {}
    for specimen in ZOO.values():
        kinds.setdefault(specimen.row, []).append(specimen)
    return [
        f"| {kind} | {_plans(specimens)} | {_steps(specimens)} | {_frameworks(specimens)} |"
        for kind, specimens in kinds.items()
    ]


def _plans(specimens: list[Specimen]) -> str:
    """List the plans in the order of the specimens, and mark those that only work on feature rows."""
    plans = dict.fromkeys(specimen.plan for specimen in specimens)
    return ", ".join(f"`{plan}`{_only_features(specimens, plan)}" for plan in plans)


def _only_features(specimens: list[Specimen], plan: str) -> str:
    over_features = [specimen.shape == FEATURES for specimen in specimens if specimen.plan == plan]
    return " (feature rows)" if all(over_features) and len({specimen.plan for specimen in specimens}) > 1 else ""


def _steps(specimens: list[Specimen]) -> str:
    steps = {specimen.step for specimen in specimens}
    return "yes" if steps == {True} else "no" if steps == {False} else "where causal"


def _frameworks(specimens: list[Specimen]) -> str:
    used = {name for specimen in specimens for name in specimen.frameworks}
    return "Keras 3 and 2" if used == set(BOTH) else "Keras 3" if used == {"keras"} else "Keras 2"


def filled(text: str) -> str:
    """Return a page with its table regenerated.

    Args:
        text: The page.
    """
    table = "\n".join([HEADING, *rows()])
    return BLOCK.sub(lambda _match: f"<!-- supported -->\n{table}\n<!-- /supported -->", text)


def main() -> int:
    """Write the page, or report that it differs."""
    page = ROOT / "docs" / "reference" / "models.md"
    text = page.read_text()
    if filled(text) == text:
        return 0
    if "--check" in sys.argv[1:]:
        sys.stdout.write(f"{page.name} differs from tests/models/zoo.py\n")
        return 1
    atomic.write(page, [filled(text).encode()], durable=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
