"""Mutation testing of the modules that other code trusts: break a line, and expect a test to fail.

    python scripts/mutants.py [NAME ...] --minutes 60

cosmic-ray changes files in place, so the script works on a copy of the checkout in build/mutants.
It continues where an earlier run of the same files stopped.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "mutants"
# Modules, and the tests that must fail when a line of them is broken.
TARGETS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "atomic": (("edgevid/atomic.py",), ("tests/edgevid/test_atomic.py", "tests/edgevid/updates/test_vetting.py")),
    "gate": (("edgevid/outputs/web/gate.py",), ("tests/edgevid/outputs/web/test_gate.py",)),
    "slots": (
        tuple(f"edgevid/updates/{name}.py" for name in ("slots", "state", "stored", "recovery", "trial", "vetting")),
        tuple(f"tests/edgevid/updates/test_{name}.py" for name in ("damaged_card", "vetting", "slots")),
    ),
    "archive": (("edgevid/bundle/archive.py",), ("tests/edgevid/bundle/test_archive.py",)),
}
# Annotations hold most "|" of the code, and a changed annotation is no fault.
SKIPPED = ("core/ReplaceBinaryOperator_BitOr_(?!BitAnd).*", "core/NumberReplacer")
LIMIT_S = 120
_COPIED = ("edgevid", "convert", "tests", "firmware_configs", "scripts", "docs", "pyproject.toml")


def main() -> int:
    """Run the targets one after another and print the score of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"targets: {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=60, help="longest time for each target (default: 60)")
    args = parser.parse_args()
    unknown = set(args.names) - set(TARGETS)
    if unknown:
        parser.error(f"Expected targets of {', '.join(TARGETS)}, got {', '.join(sorted(unknown))}.")
    for name in args.names or TARGETS:
        _run(name, limit_s=args.minutes * 60)
    return 0


def _run(name: str, *, limit_s: float) -> None:
    folder = BUILD / name
    config, session = folder / "mutants.toml", folder / "mutants.sqlite"
    if not session.exists():
        _prepare(name, folder)
        # Tests that fail without any mutant would kill every one.
        _cosmic_ray("cosmic-ray", "baseline", config, folder=folder)
        _cosmic_ray("cosmic-ray", "init", config, session, folder=folder)
        _cosmic_ray("cr-filter-operators", session, config, folder=folder)
    try:
        _cosmic_ray("cosmic-ray", "exec", config, session, folder=folder, limit_s=limit_s)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"{name}: stopped after {limit_s / 60:g} minutes; run it again to continue\n")
    _cosmic_ray("cr-report", session, "--show-pending", folder=folder)


def _prepare(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in _COPIED:
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / path, folder / path)
    modules, tests = TARGETS[name]
    command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {' '.join(tests)}"
    (folder / "mutants.toml").write_text(
        f"[cosmic-ray]\nmodule-path = {list(modules)}\ntimeout = {LIMIT_S}.0\nexcluded-modules = []\n"
        f'test-command = "env PYTHONPATH={folder} {command}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
        f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {list(SKIPPED)}\n"
    )


def _cosmic_ray(program: str, *words: str | Path, folder: Path, limit_s: float | None = None) -> None:
    path = Path(sys.executable).with_name(program)
    subprocess.run([str(path), *map(str, words)], cwd=folder, timeout=limit_s, check=True)


if __name__ == "__main__":
    sys.exit(main())
