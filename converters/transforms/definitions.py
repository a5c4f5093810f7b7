"""What attributes mean: a YAML or JSON file with a sentence for each, such as ``Color: The main colour.``"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from converters.core.errors import InputError, unreadable
from converters.schema import Attributes
from converters.text.sanitize import one_line
from converters.text.words import ends_sentence

Definitions = Mapping[str, str]


def load(path: Path) -> Definitions:
    """Read a file; one that is missing, broken or no mapping of names to sentences is an ``InputError``."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of definitions (YAML or JSON, a sentence for each attribute)")
    try:
        tree = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(path, error, "YAML or JSON") from error
    if not isinstance(tree, dict) or not tree:
        raise InputError(f"{path}: found {str(tree)[:60]!r}, expected attributes with a sentence each")
    for name, sentence in tree.items():
        if not isinstance(name, str) or not isinstance(sentence, str) or not one_line(sentence):
            raise InputError(f"{path}: found {name!r}: {str(sentence)[:60]!r}, expected an attribute with a sentence")
    sentences = {one_line(name): one_line(sentence) for name, sentence in tree.items()}
    return {name: text if ends_sentence(text) else f"{text}." for name, text in sentences.items()}


def defined(record: Attributes, definitions: Definitions) -> Attributes:
    """Return a record with the definitions of the attributes that it asks for; one without a definition has none.

    >>> defined(Attributes("1", "g", (), (("Brand", ()), ("Size", ()))), {"Brand": "The maker."}).definitions
    (('Brand', 'The maker.'),)
    """
    asked = (one_line(name) for name, _ in record.values)
    return replace(record, definitions=tuple((name, definitions[name]) for name in asked if name in definitions))
