"""The file that keeps the region of a run, which viewers of the live page change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.frames.region import WHOLE, Region, numbers, text
from edgevid.schema import from_toml, read_toml

_HEADING = "# What the models see of the picture, saved on the live page. `edgevid run --region-file` reads it.\n"


@dataclass(frozen=True, kw_only=True)
class _Content:
    region: str = ""
    mask: tuple[str, ...] = ()


class RegionFile:
    """A TOML file with a region, in the words of `--region` and `--mask`.

    Args:
        path: The file, which need not exist yet; its folder must.

    Attributes:
        path: See above.

    Raises:
        UsageError: It is no `.toml` file, or there is no such folder.
    """

    def __init__(self, path: Path) -> None:
        atomic.check_folder(path, suffix=".toml")
        self.path = path

    def read(self) -> Region:
        """Return the region; the whole picture if there is no file.

        Raises:
            UsageError: The file cannot be read, or its region is not legal.
            DeploymentError: The file is no TOML, or has another key or type.
        """
        if not self.path.exists():
            return WHOLE
        content = from_toml(_Content, read_toml(self.path), str(self.path))
        box = numbers(content.region) if content.region else None
        return Region(box=box, masks=[numbers(mask) for mask in content.mask])

    def write(self, region: Region) -> None:
        """Replace the file.

        Args:
            region: What to keep.

        Raises:
            OSError: The file cannot be written; then the old one stays.
        """
        lines = [] if region.box is None else [f'region = "{text(region.box)}"\n']
        if region.masks:
            masks = ", ".join(f'"{text(mask)}"' for mask in region.masks)
            lines.append(f"mask = [{masks}]\n")
        atomic.write(self.path, [_HEADING.encode(), *(line.encode() for line in lines)])
