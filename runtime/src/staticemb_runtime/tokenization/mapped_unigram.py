"""SentencePiece's Unigram tokenizers from mapped arrays, without the `tokenizers` library.

`tokenizers` takes seconds and hundreds of megabytes to read a large multilingual vocabulary. This
module needs neither: it normalizes, cuts and encodes texts itself, exactly as `tokenizers` does.
What it cannot prove to be equal, it refuses: designs with other components, texts that hold an
added token, and texts whose normalization may depend on the version of Unicode.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..format.pieces import read_pieces
from .charsmap import CharacterMap
from .unigram import Unigram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..format.pieces import Pieces

_MARK: Final = "▁"
# Unicode's White_Space. Python also splits at U+001C to U+001F.
_SPACES: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
_OTHER_SPACES: Final = "\x1c\x1d\x1e\x1f"
_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")
# Longer texts would take much memory at once: `tokenizers` encodes them by segments.
_MAX_CHARACTERS: Final = 1 << 20
# Characters of texts whose new words are encoded together.
_GROUP: Final = 1 << 16
# Words to remember: about 6 MB. Longer words seldom occur twice.
_CACHE_WORDS: Final = 1 << 15
_CACHED_LENGTH: Final = 64
_MEMBERS: Final = frozenset(
    ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer"]
    + ["post_processor", "decoder", "model"]
)


class _Design(NamedTuple):
    """The components of a tokenizer.

    Attributes:
        steps: the normalizer's steps; each returns None for a text that it cannot prove.
        splits: whether white space is cut away before the marker is put before words.
        added: the spellings of added tokens, raw and normalized.
    """

    steps: tuple[Callable[[str], str | None], ...]
    splits: bool
    added: tuple[str, ...]


class MappedUnigram:
    """A Unigram tokenizer over mapped arrays; safe to use from several threads.

    Args:
        pieces: the vocabulary, and the definition without it.

    Raises:
        ValueError: the definition has a component that this module does not know.
    """

    def __init__(self, pieces: Pieces) -> None:
        definition = pieces.definition
        model = definition["model"]
        unknown, fallback = model.get("unk_id"), model.get("byte_fallback", False)
        _demand(set(model) <= {"type", "unk_id", "vocab", "byte_fallback"}, "model")
        _demand(model.get("type", "Unigram") == "Unigram", "model")
        _demand(type(fallback) is bool and type(unknown) is int, "model")
        _demand(0 <= unknown < len(pieces.ends), "unk_id")
        self._design = _read_design(definition)
        self._model = Unigram(pieces, unknown=unknown, byte_fallback=fallback)
        self._ids: dict[str, bytes] = {}

    def encode(
        self, texts: Sequence[str], *, unknown_token_id: int | None, max_tokens: int | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """Encode texts as `WordTokenizer.encode` does.

        Returns:
            The ids of all texts, shape (N,) int32, and the number of ids of each, shape (B,) int64;
            None if the ids of a text are not proven.
        """
        packed: list[bytes] = []
        for group in _groups(texts):
            cuts: list[list[str]] = []
            for text in group:
                words = self._words(text)
                if words is None:
                    return None
                cuts.append(words)
            ids = self._learn(word for words in cuts for word in words)
            packed += [b"".join(map(ids.__getitem__, words)) for words in cuts]
        arrays = [np.frombuffer(each, np.int32) for each in packed]
        if unknown_token_id is not None:
            arrays = [ids[ids != unknown_token_id] for ids in arrays]
        arrays = [ids[:max_tokens] for ids in arrays]
        counts = np.fromiter(map(len, arrays), np.int64, len(arrays))
        return np.concatenate([np.empty(0, np.int32), *arrays]), counts

    def encode_words(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode words of texts, between blanks.

        The ids of a text are those of its words, if each word has a count and single blanks
        (U+0020) stand between them. A word without a count may depend on its neighbors.

        Args:
            words: B words without blanks.

        Returns:
            The ids of all words, shape (N,) int32, and the number of ids of each word, shape (B,)
            int64; -1 for a word whose ids are not proven.
        """
        cuts = [self._separable(word) for word in words]
        ids = self._learn(part for cut in cuts if cut is not None for part in cut)
        packed = [None if cut is None else b"".join(map(ids.__getitem__, cut)) for cut in cuts]
        counts = [-1 if each is None else len(each) // 4 for each in packed]
        joined = bytearray().join(each for each in packed if each is not None)
        return np.frombuffer(joined, np.int32), np.array(counts, np.int64)

    def _separable(self, word: str) -> list[str] | None:
        """Cut a word that has the same ids in every text; None for any other word."""
        if not word or any(map(word.__contains__, _SPACES + _OTHER_SPACES)):
            return None
        if not (word.isascii() and word.isprintable()) and not _is_apart(word):
            return None
        parts = self._words(word)
        if parts is None or not parts:
            return None
        # A blank that the normalizer leaves at an end would meet the blank beside the word.
        edge = self._normalize(word)
        if edge is None or edge[0] in _SPACES + _MARK or edge[-1] in _SPACES + _MARK:
            return None
        return parts

    def _normalize(self, text: str) -> str | None:
        normalized: str | None = text
        for step in self._design.steps:
            normalized = step(normalized)
            if normalized is None:
                return None
        return normalized

    def _words(self, text: str) -> list[str] | None:
        """Cut a text into the model's words, each with its marker; None if it is not proven."""
        if len(text) > _MAX_CHARACTERS:
            return None
        design = self._design
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return None  # a lone surrogate
        normalized = self._normalize(text)
        if normalized is None:
            return None
        for spelling in design.added:
            if spelling in text or spelling in normalized:
                return None
        if not design.splits:
            return _marked(normalized.replace(" ", _MARK))
        if any(map(normalized.__contains__, _OTHER_SPACES)):
            return None
        words = normalized.split()
        if _MARK in normalized:
            return [part for word in words for part in _marked(word)]
        return [_MARK + word for word in words]

    def _learn(self, words: Iterable[str]) -> Mapping[str, bytes]:
        """Return the ids of words, as bytes."""
        known = self._ids
        ids = {word: known.get(word) for word in words}
        new = [word for word, each in ids.items() if each is None]
        if not new:
            return ids  # type: ignore[return-value]
        flat, counts = self._model.encode(new)
        ends = (4 * np.cumsum(counts)).tolist()
        data = flat.tobytes()
        begin = 0
        for word, end in zip(new, ends, strict=True):
            ids[word] = data[begin:end]
            begin = end
        kept = {word: ids[word] for word in new if len(word) <= _CACHED_LENGTH}
        if len(known) + len(kept) > _CACHE_WORDS:
            known = self._ids = {}  # other threads may read the old one
        known.update(kept)  # type: ignore[arg-type]
        return ids  # type: ignore[return-value]


def open_mapped(
    tensors: Mapping[str, NDArray[Any]], n_token_ids: int
) -> MappedUnigram | None:
    """Open the tokenizer in a file's optional tensors.

    Args:
        tensors: the optional tensors.
        n_token_ids: the number of token ids.

    Returns:
        None if there is none, if it is malformed, or if this module does not know its design.
    """
    pieces = read_pieces(tensors, n_token_ids)
    if pieces is None:
        return None
    try:
        return MappedUnigram(pieces)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _groups(texts: Sequence[str]) -> list[list[str]]:
    """Group consecutive texts, so that the words of a group take a bounded amount of memory."""
    groups: list[list[str]] = []
    size = 0
    for text in texts:
        if not groups or size + len(text) > _GROUP:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text)
    return groups


def _marked(text: str) -> list[str]:
    """Put the marker before a text, unless it is there, and cut before each marker."""
    if not text:
        return []
    text = text[1:] if text[0] == _MARK else text
    return [_MARK + part for part in text.split(_MARK)]


def _is_apart(word: str) -> bool:
    """Tell whether no character at a word's ends can join the blank beside it."""
    first, last = word[0], word[-1]
    joins = unicodedata.category(first) in {"Mn", "Mc", "Me", "Cf", "Cn", "Co", "Lm", "Sk"}
    leads = unicodedata.category(last) in {"Cf", "Lo", "Cn"} and (
        unicodedata.category(last) != "Lo" or last == "\u0d4e" or ord(last) > 0xFFFF
    )
    return not joins and not leads and first not in "\u0e33\u0eb3"


# --- the design ----------------------------------------------------------------------------------


def _demand(holds: bool, member: str) -> None:
    if not holds:
        raise ValueError(f"{member}: not known")


def _read_design(definition: dict[str, Any]) -> _Design:
    """Read the components of a definition.

    Raises:
        ValueError: a component is not known.
    """
    _demand(set(definition) <= _MEMBERS and definition.get("version") == "1.0", "definition")
    for member in ("truncation", "padding", "post_processor"):
        _demand(definition.get(member) is None, member)
    decoder = definition.get("decoder")
    _demand(decoder is None or _is_metaspace(decoder), "decoder")
    splits = definition.get("pre_tokenizer")
    steps = _flat(splits, "pretokenizers")
    _demand(bool(steps) and _is_metaspace(steps[-1]), "pre_tokenizer")
    _demand(steps[:-1] in ([], [{"type": "WhitespaceSplit"}]), "pre_tokenizer")
    normalizers = tuple(map(_step, _flat(definition.get("normalizer"), "normalizers")))
    added: list[str] = []
    for token in definition.get("added_tokens") or ():
        spelling = token["content"]
        _demand(type(spelling) is str and bool(spelling), "added_tokens")
        added.append(spelling)
        for step in normalizers:
            spelling = step(spelling)
            _demand(bool(spelling), "added_tokens")
        added.append(spelling)
    return _Design(normalizers, len(steps) == 2, tuple(dict.fromkeys(added)))


def _flat(component: Any, members: str) -> list[Any]:  # noqa: ANN401 - JSON
    if component is None:
        return []
    if component["type"] != "Sequence":
        return [component]
    _demand(set(component) == {"type", members}, members)
    return [step for each in component[members] for step in _flat(each, members)]


def _is_metaspace(component: object) -> bool:
    """Tell whether a component puts the marker for blanks and before each piece."""
    if not isinstance(component, dict) or component.get("type") != "Metaspace":
        return False
    optional = {
        "add_prefix_space": True,
        "prepend_scheme": "always",
        "split": True,
        "str_rep": _MARK,
    }
    rest = {key: value for key, value in component.items() if key not in ("type", "replacement")}
    same = all(
        type(value) is type(optional.get(key)) and value == optional.get(key)
        for key, value in rest.items()
    )
    return component.get("replacement") == _MARK and same


def _step(state: dict[str, Any]) -> Callable[[str], str | None]:
    """Make a step of the normalizer.

    Raises:
        ValueError: the step is not known.
    """
    kind, rest = state["type"], {key: value for key, value in state.items() if key != "type"}
    if kind == "Precompiled":
        _demand(set(rest) == {"precompiled_charsmap"}, kind)
        try:
            data = base64.b64decode(rest["precompiled_charsmap"], validate=True)
        except binascii.Error:
            raise ValueError("precompiled_charsmap: not base64") from None
        return CharacterMap(data).normalize
    if kind in _FORMS and not rest:
        return _unicode_form(kind)
    if kind == "Strip":
        left, right = rest.get("strip_left"), rest.get("strip_right")
        _demand(set(rest) == {"strip_left", "strip_right"}, kind)
        _demand(type(left) is bool and type(right) is bool, kind)
        return lambda text: _strip(text, left=left, right=right)
    if kind == "Replace":
        content, pattern = rest.get("content"), rest.get("pattern")
        _demand(set(rest) == {"content", "pattern"} and type(content) is str, kind)
        if pattern == {"Regex": " {2,}"}:
            runs = re.compile(" {2,}")
            return lambda text: runs.sub(lambda run: content, text) if "  " in text else text
        _demand(type(pattern) is dict and list(pattern) == ["String"], kind)
        literal = pattern["String"]
        _demand(type(literal) is str and bool(literal), kind)
        return lambda text: text.replace(literal, content)
    raise ValueError(f"{kind}: not known")


def _strip(text: str, *, left: bool, right: bool) -> str:
    text = text.lstrip(_SPACES) if left else text
    return text.rstrip(_SPACES) if right else text


def _unicode_form(form: str) -> Callable[[str], str | None]:
    """Make a step for a Unicode normalization form.

    Python and `tokenizers` may know different versions of Unicode. The forms of a character never
    change once it is assigned, so a text is proven if each of its characters is old, or if nothing
    happens to it in Python's version: no decomposition, no combining class.
    """
    stable: dict[str, bool] = {}

    def is_stable(character: str) -> bool:
        known = stable.get(character)
        if known is None:
            known = _is_stable(character)
            if len(stable) < 1 << 16:
                stable[character] = known
        return known

    def normalize(text: str) -> str | None:
        if text.isascii():
            return text
        return unicodedata.normalize(form, text) if all(map(is_stable, set(text))) else None  # type: ignore[arg-type]

    return normalize


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
