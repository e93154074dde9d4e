"""The character tables of BERT's tokenizer are those of `tokenizers`, for each code point."""

import sys
import unicodedata
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from tokenizers import normalizers as library

from bert_definitions import SAME_TABLES, texts
from staticemb_runtime.tokenization import unicode_tables
from staticemb_runtime.tokenization.bert_characters import MARKS, Characters, Normalizer

STEPS = [Normalizer(*flags) for flags in product([True, False], repeat=4)]
SETS = ["WHITE_SPACE", "CONTROL", "PUNCTUATION", "IDEOGRAPHS", "NONSPACING_MARKS"]


def normalize(steps, text):
    return library.BertNormalizer(**steps._asdict()).normalize_str(text)


def pre_tokenize(text):
    return [piece for piece, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)]


def words(characters, text):
    return [word for word in characters.apply(text).split(" ") if word]


@pytest.fixture(scope="module")
def code_points():
    """Assigned code points, those of this library's Unicode alone, and the ends of all ranges."""
    # Python and the library may both follow later versions of Unicode than the tables. All
    # versions of all three agree on the characters of Unicode 3.2.
    old = unicodedata.ucd_3_2_0
    known = unicodedata if SAME_TABLES else old
    found = {
        code
        for code in range(sys.maxunicode + 1)
        if known.category(chr(code)) not in {"Cn", "Co", "Cs"}
    }
    if known is not old:
        for name in [*SETS, "WORD_CHARACTERS"]:
            for begin, end in getattr(unicode_tables, name).ranges():
                found.update(range(begin - 1, begin + 2), range(end - 1, end + 1))
    return sorted(code for code in found if 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000)


def texts_of(code_points):
    """Each code point alone, between letters, after a mark, and between marks of any class.

    The texts are short: one that holds a mark that stays is normalized another way than others.
    """
    for at in range(0, len(code_points), 32):
        some = map(chr, code_points[at : at + 32])
        yield " ".join(f"{c} a{c}b e\u0301{c} \u0345{c}\u0334\u0328" for c in some)


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_each_code_point_is_normalized_and_cut_as_by_tokenizers(steps, code_points):
    normal, cut = Characters(steps, split=False), Characters(steps, split=True)
    if steps not in (Normalizer(*[True] * 4), Normalizer(True, True)):  # uncased and cased
        # A thousandth of the ideographs and syllables, in which nothing differs.
        code_points = [c for c in code_points if c < 0x3400 or 0xD800 <= c < 0x20000 or c % 997 < 2]
    for text in texts_of(code_points):
        normalized = normalize(steps, text)
        assert normal.apply(text) == normalized
        assert words(cut, text) == pre_tokenize(normalized)


def test_lower_case_is_that_of_the_normalizer(code_points):
    text = "".join(map(chr, code_points))
    lowered = library.Lowercase().normalize_str(text)
    assert "".join(map(unicode_tables.lowercase, text)) == lowered
    assert Characters(Normalizer(lowercase=True), split=False).apply(text) == lowered


def test_word_characters_are_those_of_a_single_word(code_points):
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "T": 1}, "?"))
    tokenizer.add_tokens([AddedToken("T", single_word=True, normalized=False)])
    apart = [1 in e.ids for e in tokenizer.encode_batch([f"{chr(c)}T" for c in code_points])]
    assert [code not in unicode_tables.WORD_CHARACTERS for code in code_points] == apart


def test_decompositions_and_classes_do_not_depend_on_pythons_unicode(code_points):
    # Python decomposes what the library decomposes in the same way, and orders marks as it does.
    nfd = library.NFD().normalize_str
    for code in code_points:
        assert unicode_tables.decompose(chr(code)) == nfd(chr(code))
    marks = [chr(code) for code in code_points if unicode_tables.combining_class(chr(code))]
    assert len(marks) > 300
    by_class = sorted(marks, key=unicode_tables.combining_class)
    backward = [mark for mark in reversed(by_class) if nfd(mark) == mark]
    in_order = sorted(backward, key=unicode_tables.combining_class)
    assert nfd("".join(backward)) == "".join(in_order)


@given(steps=st.sampled_from(STEPS), text=texts)
def test_texts_are_normalized_and_cut_as_by_tokenizers(steps, text):
    normalized = normalize(steps, text)
    assert Characters(steps, split=False).apply(text) == normalized
    assert words(Characters(steps, split=True), text) == pre_tokenize(normalized)


@given(steps=st.sampled_from(STEPS), text=st.text(st.characters(codec="ascii")))
def test_ascii_goes_another_way_to_the_same_words(steps, text):
    characters = Characters(steps, split=True)
    assert words(characters, text) == words(characters, text + " é")[: len(words(characters, text))]
    assert words(characters, text) == pre_tokenize(normalize(steps, text))


def test_marks_are_the_ascii_punctuation():
    assert list(MARKS) == [c for c in map(chr, range(128)) if ord(c) in unicode_tables.PUNCTUATION]


def test_a_character_is_learned_once():
    characters = Characters(Normalizer(lowercase=True), split=True)
    assert [characters.apply("É…ж") for _ in range(2)] == ["é … ж"] * 2


@pytest.mark.parametrize("name", SETS)
def test_a_set_holds_its_ranges_and_no_more(name):
    codes = getattr(unicode_tables, name)
    ranges = codes.ranges()
    assert all(begin < end for begin, end in ranges)
    assert all(end < begin for (_, end), (begin, _) in pairwise(ranges))
    for begin, end in ranges:
        assert begin in codes
        assert end - 1 in codes
        assert end not in codes
        assert begin - 1 not in codes
