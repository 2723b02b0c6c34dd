"""The text of the page: where edgevid is ahead, level and behind, and a table for each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.peers.catalog import OURS, REFERENCES
from benchmarks.writing.results_file import table

_HEADING = (
    "a decision", "processor, us", "times edgevid of its precision, 95 % interval", "wall clock, us", "start, ms",
    "peak memory, MiB", "files, kB", "agrees with Keras",
)  # fmt: skip


def text(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the block of the page.

    Args:
        models: Numbers of each model by its title, with `peers`.
    """
    first = ["Of the peers that run a model, edgevid is"]
    first += [f"- {title}: {standing(model['peers'])}" for title, model in models.items()]
    tables = [
        f"### {title}\n\n{_table(model['peers'])}{_over_floor(model)}{_session(model)}{_failed(model['peers'])}"
        for title, model in models.items()
    ]
    return "\n\n".join(["\n".join([first[0], "", *first[1:]]), *tables])


def standing(peers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return in words how many peers edgevid is ahead of, and which ones it is not ahead of."""
    words = {name: row["edgevid_is"] for name, row in peers.items() if name not in OURS and "edgevid_is" in row}
    ahead = [name for name, said in words.items() if said == "ahead"]
    parts = [f"**ahead** of {len(ahead)} of {len(words)}"]
    for said, link in (("level", "**level** with"), ("behind", "**behind**"), ("unclear", "not told apart from")):
        names = [f"{name} ({peers[name]['times']:.2f} times)" for name in words if words[name] == said]
        if names:
            parts.append(f"{link} {'; '.join(names)}")
    return ", ".join(parts) + "."


def _table(peers: Mapping[str, Mapping[str, Any]]) -> str:
    ran = {name: row for name, row in peers.items() if "times" in row}
    ordered = sorted(ran, key=lambda name: ran[name]["cpu_us"])
    return table([_HEADING, *(_cells(name, ran[name]) for name in ordered)]) + "\n"


def _cells(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    is_reference = name in REFERENCES.values()
    ratio = "1" if is_reference else f"{row['times']:.2f} [{row['low']:.2f}, {_high(row)}]"
    start = "" if row["start_ms"] is None else f"{row['start_ms']:.0f}"
    agrees = "" if row["agreement"] is None else f"{row['agreement']:.1%}"
    label = f"**{name}**" if is_reference else name
    return (
        label, f"{row['cpu_us']:.0f}", ratio, f"{row['wall_us']:.0f}", start, f"{row['peak_mib']:.0f}",
        f"{row['kb']:.0f}", agrees,
    )  # fmt: skip


def _high(row: Mapping[str, Any]) -> str:
    return "…" if row["high"] is None else f"{row['high']:.2f}"


def _over_floor(model: Mapping[str, Any]) -> str:
    """Describe the share of edgevid's time outside of the interpreter."""
    over = [
        f"{name} {row['times']:.2f} times [{row['low']:.2f}, {_high(row)}]"
        for name, key in (("its engine takes", "engine_over_floor"), ("its whole API", "api_over_floor"))
        if (row := model.get(key))
    ]
    return f"\nIn int8, {' and '.join(over)} the time of the bare interpreter on its parts.\n" if over else ""


def _session(model: Mapping[str, Any]) -> str:
    """State when a model was measured; models of one file may be of several sessions."""
    return f"\nMeasured at load {model['load_1min']}, commit {model['commit']}.\n" if "commit" in model else ""


def _failed(peers: Mapping[str, Mapping[str, Any]]) -> str:
    """List the peers that did not run, those of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, row in peers.items():
        if "reason" in row:
            by_reason.setdefault(row["reason"], []).append(name)
    lines = [f"- {'; '.join(names)}: {_plain(reason)}" for reason, names in by_reason.items()]
    return "\nCould not run:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _plain(reason: str) -> str:
    """Return a foreign message as code, so that no mark of Markdown in it counts."""
    return f"`{reason.replace('`', chr(39))}`"
