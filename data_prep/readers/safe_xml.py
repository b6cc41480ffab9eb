"""Parses XML that may be hostile: no document type, so no entities, and bounds on depth and number."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from data_prep.readers.parsing import BadLabelError
from data_prep.text import printable

_MAX_DEPTH = 50
_MAX_ELEMENTS = 200_000


def parse_xml(content: bytes) -> Element:
    """Return the root element.

    Raises:
        BadLabelError: It is no XML, declares a document type (the door of entity bombs and external entities),
            or is nested too deeply or has too many elements to be the label of one picture.
    """
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.tree.data
    try:
        parser.Parse(content, True)  # the last piece
    except BadLabelError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        # The last two: an encoding that does not exist or that expat cannot read.
        raise BadLabelError(f"is no valid XML ({printable(str(error))})") from error
    return builder.tree.close()


class _Builder:
    """Builds the tree and counts."""

    def __init__(self) -> None:
        self.tree = TreeBuilder()
        self._depth = 0
        self._count = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise BadLabelError(f"has more than {_MAX_DEPTH} levels or {_MAX_ELEMENTS} elements")
        self.tree.start(tag, dict(attributes))

    def end(self, tag: str) -> None:
        self._depth -= 1
        self.tree.end(tag)


def _refuse_document_type(name: str, *_: object) -> None:
    raise BadLabelError(f"declares a document type ({printable(name)}), which no label needs")
