"""XML from other tools, without what XML files can do to a reader."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from edgevid.errors import TruthError

# Far above any annotation file.
_MOST_DEPTH = 64


class _Refused(Exception):
    """The file uses a part of XML that annotations do not need."""


def read_xml(path: Path, *, root: str, expected: str) -> Element:
    """Read an XML file.

    Declarations of a document type, and with them all entities, are rejected: they can expand to
    gigabytes or name other files. `xml.etree` has no switch for that, and defusedxml has had no
    stable release since 2021, so the parser below is set up here.

    Args:
        path: The file.
        root: Name of its outermost element.
        expected: Its kind, for errors.

    Raises:
        TruthError: The file cannot be read, is no XML, has a document type, or another root.
    """
    try:
        element = _parse(path.read_bytes())
    except (OSError, expat.ExpatError, ValueError, LookupError, _Refused) as error:
        found = f"{path}, which cannot be read: {error}"
        raise TruthError(expected=expected, found=found, path=path) from error
    if element.tag != root:
        raise TruthError(expected=f"{expected} with the root <{root}>", found=f"<{element.tag}> in {path}", path=path)
    return element


def _parse(data: bytes) -> Element:
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MOST_DEPTH:
            raise _Refused(f"elements are nested more than {_MOST_DEPTH} deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise _Refused("it declares a document type, which annotations do not need")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.Parse(data, True)
    return builder.close()
