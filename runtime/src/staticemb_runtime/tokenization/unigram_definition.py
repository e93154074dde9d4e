"""The components of a Unigram tokenizer that `unigram_encoder` can run without `tokenizers`.

A component is known if this module can do exactly what `tokenizers` does, or refuse a text.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from .charsmap import CharacterMap
from .segmenters import WHITE_SPACE
from .separator_pieces import MARK
from .unicode_tables import CharacterTable, lowercase

# A step of the normalizer; it returns None for a text whose normalization it cannot prove.
Step = Callable[[str], "str | None"]

_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")
_MEMBERS: Final = frozenset(
    {
        "version",
        "truncation",
        "padding",
        "added_tokens",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "model",
    }
)
_MODEL: Final = frozenset({"type", "unk_id", "vocab", "byte_fallback"})


class UnigramComponents(NamedTuple):
    """The components of a tokenizer.

    Attributes:
        steps: the normalizer's steps.
        splits: whether white space is cut away before the marker is put before words.
        whole: whether a text, or with `splits` a word, is not cut at markers, so that a piece may
            span them.
        collapses: whether the normalizer makes one blank or marker of a run of blanks, and strips
            the text's end, as its last steps.
        added: the spellings of added tokens, raw and normalized.
        unknown: the id of an unknown character.
        byte_fallback: whether pieces of single bytes spell unknown text.
        separable: whether no step and no added token spans a blank between two words.
    """

    steps: tuple[Step, ...]
    splits: bool
    whole: bool
    collapses: bool
    added: tuple[str, ...]
    unknown: int
    byte_fallback: bool
    separable: bool

    def normalize(self, text: str) -> str | None:
        """Return the normalized text, or None if it is not proven."""
        normalized: str | None = text
        for step in self.steps:
            if normalized is None:
                return None
            normalized = step(normalized)
        return normalized


def read_components(definition: dict[str, Any], n_pieces: int) -> UnigramComponents:
    """Read the components of a definition.

    Args:
        definition: the members of a `tokenizer.json`; its vocabulary is not read.
        n_pieces: the number of pieces.

    Raises:
        ValueError: a component is not known.
        KeyError, TypeError: the definition is malformed.
    """
    _demand(set(definition) <= _MEMBERS and definition.get("version") == "1.0", "definition")
    for member in ("truncation", "padding", "post_processor"):
        _demand(definition.get(member) is None, member)
    decoder = definition.get("decoder")
    _demand(decoder is None or _is_metaspace(decoder), "decoder")
    model = definition["model"]
    unknown, fallback = model.get("unk_id"), model.get("byte_fallback", False)
    _demand(set(model) <= _MODEL and model.get("type", "Unigram") == "Unigram", "model")
    _demand(type(fallback) is bool and type(unknown) is int, "model")
    _demand(0 <= unknown < n_pieces, "unk_id")
    pre_tokenizers = _flat(definition.get("pre_tokenizer"), "pretokenizers")
    _demand(bool(pre_tokenizers) and _is_metaspace(pre_tokenizers[-1]), "pre_tokenizer")
    _demand(pre_tokenizers[:-1] in ([], [{"type": "WhitespaceSplit"}]), "pre_tokenizer")
    normalizers = _flat(definition.get("normalizer"), "normalizers")
    steps = tuple(map(_step, normalizers))
    splits = len(pre_tokenizers) == 2
    whole = not pre_tokenizers[-1].get("split", True)
    collapses = _collapses(normalizers[-2:])
    components = UnigramComponents(
        steps, splits, whole, collapses, (), unknown, fallback, separable=True
    )
    added: list[str] = []
    for token in definition.get("added_tokens") or ():
        content = token["content"]
        normalized = components.normalize(content) if isinstance(content, str) else None
        if not content or not normalized:
            raise ValueError("added_tokens: not known")
        added += [content, normalized]
    replaced = normalizers[:-1] if collapses else normalizers
    literals = [_replaced(step) for step in replaced if "pattern" in step]
    spanning = set(WHITE_SPACE + MARK).intersection("".join(added + literals))
    return components._replace(added=tuple(dict.fromkeys(added)), separable=not spanning)


def _replaced(step: dict[str, Any]) -> str:
    """Return the characters between words that a step replaces; blanks may become one blank."""
    if "Regex" in step["pattern"]:
        return "" if step["content"] == " " else " "
    literal: str = step["pattern"]["String"]
    return literal


def _demand(holds: bool, member: str) -> None:
    if not holds:
        raise ValueError(f"{member}: not known")


def _flat(component: Any, members: str) -> list[Any]:  # noqa: ANN401 - JSON
    """Return the steps of a component, nested sequences flattened."""
    if component is None:
        return []
    if component["type"] != "Sequence":
        return [component]
    _demand(set(component) == {"type", members}, members)
    return [step for each in component[members] for step in _flat(each, members)]


def _collapses(last: list[dict[str, Any]]) -> bool:
    """Tell whether a normalizer's last two steps strip the end and collapse runs of blanks."""
    if [step["type"] for step in last] != ["Strip", "Replace"]:
        return False
    runs = last[1]["pattern"] == {"Regex": " {2,}"} and last[1]["content"] in (" ", MARK)
    return bool(last[0]["strip_right"]) and runs


def _is_metaspace(component: object) -> bool:
    """Tell whether a component puts the marker for blanks and before each piece."""
    if not isinstance(component, dict) or component.get("type") != "Metaspace":
        return False
    optional = {"add_prefix_space": True, "prepend_scheme": "always", "str_rep": MARK}
    required = ("type", "replacement", "split")
    rest = {key: value for key, value in component.items() if key not in required}
    same = type(component.get("split", True)) is bool and all(
        type(value) is type(optional.get(key)) and value == optional.get(key)
        for key, value in rest.items()
    )
    return component.get("replacement") == MARK and same


def _step(state: dict[str, Any]) -> Step:
    """Make a step of the normalizer.

    Raises:
        ValueError: the step is not known.
    """
    kind, rest = state["type"], {key: value for key, value in state.items() if key != "type"}
    if kind == "Precompiled" and set(rest) == {"precompiled_charsmap"}:
        try:
            data = base64.b64decode(rest["precompiled_charsmap"], validate=True)
        except binascii.Error:
            raise ValueError("precompiled_charsmap: not base64") from None
        return CharacterMap(data).normalize
    if kind in _FORMS and not rest:
        return _UnicodeForm(kind).normalize
    if kind == "Lowercase" and not rest:
        lower = CharacterTable(lowercase)
        return lambda text: text.lower() if text.isascii() else text.translate(lower)
    if kind == "Strip" and set(rest) == {"strip_left", "strip_right"}:
        _demand(all(type(value) is bool for value in rest.values()), kind)
        return _strip(left=rest["strip_left"], right=rest["strip_right"])
    if kind == "Replace" and set(rest) == {"content", "pattern"}:
        return _replace(rest["pattern"], rest["content"])
    raise ValueError(f"{kind}: not known")


def _strip(*, left: bool, right: bool) -> Step:
    def strip(text: str) -> str:
        text = text.lstrip(WHITE_SPACE) if left else text
        return text.rstrip(WHITE_SPACE) if right else text

    return strip


def _replace(pattern: object, content: object) -> Step:
    regex, literal = None, None
    if isinstance(pattern, dict) and len(pattern) == 1:
        regex, literal = pattern.get("Regex"), pattern.get("String")
    if isinstance(content, str) and regex == " {2,}":
        runs = re.compile(" {2,}")
        return lambda text: runs.sub(lambda _: content, text) if "  " in text else text
    if isinstance(content, str) and regex == r"\s+":
        spaces = re.compile(f"[{WHITE_SPACE}]+")
        return lambda text: spaces.sub(lambda _: content, text)
    if isinstance(content, str) and isinstance(literal, str) and literal:
        return lambda text: text.replace(literal, content)
    raise ValueError("Replace: not known")


class _UnicodeForm:
    """A Unicode normalization form.

    Python and `tokenizers` may know different versions of Unicode. The form of a character never
    changes once it is assigned. So a text is proven if each of its characters is old, or if nothing
    happens to it: no decomposition, no combining class, no composition.
    """

    def __init__(self, form: str) -> None:
        self._form: Any = form
        self._stable: set[str] = set()

    def normalize(self, text: str) -> str | None:
        if text.isascii():
            return text
        new = set(text).difference(self._stable)
        if not all(map(_is_stable, new)):
            return None
        self._stable |= new
        return unicodedata.normalize(self._form, text)


def _is_stable(character: str) -> bool:
    """Tell whether every version of Unicode since 5.1 normalizes a character alike."""
    if unicodedata.ucd_3_2_0.category(character) != "Cn":
        # Corrigendum 4 changed these after version 3.2.
        return character not in "\U0002f868\U0002f874\U0002f91f\U0002f95f\U0002f9bf"
    if unicodedata.decomposition(character) or unicodedata.combining(character):
        return False
    # Later versions added letters and marks that compose, but none of them in these places.
    category = unicodedata.category(character)
    return category[0] in "NPS" or (
        category[0] == "L" and (ord(character) < 0x10000 or 0x20000 <= ord(character) < 0x40000)
    )
