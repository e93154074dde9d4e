"""Texts in an alphabet that none of a model's languages is written in: named, and embedded."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import warned
from runtime.test_model import VOCABULARY, save
from server_process import serving
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda.function import answer
from staticemb_runtime.bulk.texts import TextEmbedder
from staticemb_runtime.encoding.alphabets import alphabets_of
from staticemb_runtime.encoding.foreign_texts import ForeignTexts
from staticemb_runtime.errors import EmptyTextWarning, LanguageWarning
from staticemb_runtime.search import Deduplicator, Index

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
RECIPE = tomllib.loads((ROOT / "distiller" / "demo" / "multilingual.toml").read_text("utf-8"))
MULTILINGUAL = " ".join(RECIPE["fit_language"])

GREEK = "Η γάτα κοιμάται στον καναπέ"
RUSSIAN = "Нет, он спит на диване"
TEXTS = {
    "Arabic": "القطة نائمة على الأريكة",
    "Armenian": "կատուն քնած է",
    "Chinese characters": "猫在沙发上睡觉",
    "Cyrillic": RUSSIAN,
    "Devanagari": "बिल्ली सो रही है",
    "Georgian": "კატას სძინავს",
    "Greek": GREEK,
    "Hangul": "고양이가 소파에서 잔다",
    "Hebrew": "החתול ישן על הספה",
    "Hiragana": "ねこはねている",
    "Katakana": "ネコハネテイル",
    "Tamil": "பூனை தூங்குகிறது",
    "Thai": "แมวนอนหลับ",
}

# Letters by the ranges of Unicode's blocks, not by their names as in the package.
LETTERS = {
    "en": [("A", "Z"), ("a", "z"), ("À", "Ö"), ("ø", "ɏ")],
    "ru": [("А", "я"), ("Ѐ", "Џ"), ("a", "z")],
    "ja": [("ぁ", "ゖ"), ("ァ", "ヺ"), ("一", "鿿"), ("a", "z")],
    "ar": [("ء", "غ"), ("ف", "ي"), ("a", "z")],
    "el": [("Α", "Ρ"), ("Σ", "Ϋ"), ("α", "ώ"), ("a", "z")],
}
FOREIGN = [("ა", "ჰ"), ("ก", "ฮ"), ("א", "ת")]  # Georgian, Thai, Hebrew: of none of these


def letters(ranges):
    return st.one_of([st.characters(min_codepoint=ord(a), max_codepoint=ord(z)) for a, z in ranges])


NO_LETTERS = st.one_of(
    st.characters(exclude_categories=["L", "Cs"]),
    st.sampled_from("🎉🙂👩‍🚀\u0301\u0308“”–…€½²"),
)


def shuffled(draw, *parts):
    return "".join(draw(st.permutations([c for part in parts for c in part])))


# --- one text -------------------------------------------------------------------------------------


@given(st.data())
@pytest.mark.parametrize("language", LETTERS)
def test_a_text_in_the_languages_own_letters_is_never_foreign(language, data):
    own = data.draw(st.lists(letters(LETTERS[language]), max_size=40))
    text = shuffled(data.draw, own, data.draw(st.lists(NO_LETTERS, max_size=40)))
    assert not alphabets_of(language).is_foreign(text * data.draw(st.integers(1, 20)))


@given(st.data())
@pytest.mark.parametrize("language", LETTERS)
def test_the_majority_of_letters_decides(language, data):
    own = data.draw(st.lists(letters(LETTERS[language]), max_size=30))
    other = data.draw(st.lists(letters(FOREIGN), min_size=2, max_size=30))
    text = shuffled(data.draw, own, other, data.draw(st.lists(NO_LETTERS, max_size=30)))
    assert alphabets_of(language).is_foreign(text) == (len(other) > len(own))


@given(st.integers(0, 2000), st.integers(2, 2000))
@example(2, 3)
@example(1000, 1000)
def test_a_text_that_begins_in_foreign_letters_is_counted_whole(own, foreign):
    text = "γ" * foreign + "a" * own
    assert alphabets_of("en").is_foreign(text) == (foreign > own)


@given(st.text())
def test_any_string_has_an_answer(text):
    english = alphabets_of("en")
    if english.is_foreign(text):
        assert english.alphabet(text)
        assert not text.isascii()


def test_a_symbol_is_no_text():
    english = alphabets_of("en")
    for text in ("α", "π ≈ 3.14", "5 Ω", "½ µ", "𝐀𝐁𝐂", "ℝℂ", "ＡＢＣ", "x₁²"):
        assert not english.is_foreign(text), text


@pytest.mark.parametrize("alphabet", TEXTS)
def test_the_alphabet_is_named(alphabet):
    reader = alphabets_of("en")
    text = f"{TEXTS[alphabet]}, 2024!"
    assert reader.is_foreign(text)
    assert reader.alphabet(text) == alphabet


def test_the_languages_of_the_multilingual_model():
    reader = alphabets_of(MULTILINGUAL)
    read = {name for name, text in TEXTS.items() if not reader.is_foreign(text)}
    assert read == {"Cyrillic", "Chinese characters", "Hiragana", "Katakana"}
    assert not reader.is_foreign("猫はソファーで眠っている")
    assert not reader.is_foreign("Die Katze schläft auf dem Sofa, żółć")


@pytest.mark.parametrize("languages", ["", "multilingual", "en xx", "en tlh-Latn"])
def test_unknown_languages_are_not_judged(languages):
    assert alphabets_of(languages) is None


@pytest.mark.parametrize(("tags", "text"), [("en-US el-GR", GREEK), ("sr-Cyrl", RUSSIAN)])
def test_a_tags_first_part_is_the_language(tags, text):
    assert not alphabets_of(tags).is_foreign(text)
    assert alphabets_of(tags).is_foreign(TEXTS["Thai"])


def test_each_language_with_a_word_list_is_known():
    wordfreq = pytest.importorskip("wordfreq")
    for language in wordfreq.available_languages("best"):
        reader = alphabets_of(language)
        assert reader is not None, language
        commonest = " ".join(wordfreq.top_n_list(language, 100))
        assert not reader.is_foreign(commonest), language


@pytest.mark.parametrize("alphabet", TEXTS)
def test_the_multilingual_model_is_named_for_what_it_reads(alphabet):
    texts = ForeignTexts()
    texts.count, texts.language, texts.languages = 1, alphabet, "en"
    reads = not alphabets_of(MULTILINGUAL).is_foreign(TEXTS[alphabet])
    assert ("staticemb-model-multilingual" in texts.describe()) == reads


# --- a model --------------------------------------------------------------------------------------


def tokenizer() -> bytes:
    """Words of several alphabets, so that texts in them are not empty."""
    words = {"w0": 0} | {word: i for i, word in enumerate(" ".join(TEXTS.values()).split(), 1)}
    words |= {f"w{i}": i for i in range(len(words), VOCABULARY)}
    made = json.loads(
        '{"version":"1.0","added_tokens":[],"pre_tokenizer":{"type":"WhitespaceSplit"},'
        '"model":{"type":"WordLevel","unk_token":"w0"}}'
    )
    made["model"]["vocab"] = words
    return json.dumps(made).encode()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file for a model of languages."""
    folder = tmp_path_factory.mktemp("models")

    def make(languages):
        file = folder / f"{languages.replace(' ', '-') or 'none'}.staticemb"
        if not file.exists():
            more = {"provenance": {"languages": languages}} if languages else {}
            save(file, tokenizer=tokenizer(), unknown_token_id=None, **more)
        return file

    return make


@pytest.fixture
def model(path):
    return StaticModel(path("en"))


def messages(call, category=LanguageWarning) -> list[str]:
    """What a call warns of."""
    return warned.messages(call, category)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.encode(GREEK),
        lambda model: model.encode([GREEK]),
        lambda model: model.encode(np.array([GREEK])),
        lambda model: model.encode(iter([GREEK])),
        lambda model: model.encode(GREEK, prompt="a prompt of many letters, in English: "),
        lambda model: model.encode_query(GREEK),
        lambda model: model.encode_document([GREEK]),
        lambda model: list(model.encode_stream([GREEK])),
        lambda model: model.encode_tokens(GREEK),
        lambda model: model.encode_tokens([GREEK]),
    ],
)
def test_whatever_embeds_a_text_warns_once(model, call):
    (message,) = messages(lambda: call(model))
    assert message.startswith(
        "1 of 1 checked texts are in a language that the model does not read: "
        "their vectors mean little; the first of them is text 0, in Greek. The languages of the "
        "model: en ("
    )
    assert messages(lambda: call(model)) == []  # it was said
    assert messages(lambda: model.encode([RUSSIAN])) == []


@pytest.mark.parametrize("call", ["classify", "predict_proba", "decision_function"])
def test_a_classifier_warns(path, tmp_path, call):
    file = tmp_path / "head.staticemb"
    dim = StaticModel(path("en")).dim
    weights = np.ones((2, dim), np.float32)
    head = Head("topic", "softmax", ("a", "b"), weights, np.zeros(2, np.float32))
    with_heads(path("en"), [head], file)
    for texts in (GREEK, [GREEK]):
        model = StaticModel(file)
        assert len(messages(lambda: getattr(model, call)(texts))) == 1  # noqa: B023
        assert messages(lambda: getattr(model, call)(texts)) == []  # noqa: B023


@pytest.mark.parametrize("on_empty", ["zero", "raise"])
def test_only_warn_warns(model, on_empty):
    assert messages(lambda: model.encode(GREEK, on_empty=on_empty)) == []
    assert messages(lambda: model.encode([GREEK, "a"], on_empty=on_empty)) == []
    assert messages(lambda: list(model.encode_stream([GREEK], on_empty=on_empty))) == []
    assert len(messages(lambda: model.encode(GREEK))) == 1  # nothing was said before


def test_a_model_is_judged_by_the_languages_that_its_file_names(path):
    for languages in ("", "multilingual", "en xx", "el", MULTILINGUAL + " el"):
        model = StaticModel(path(languages))
        assert messages(lambda: model.encode(GREEK)) == []  # noqa: B023
        assert messages(lambda: model.encode([GREEK, GREEK])) == []  # noqa: B023
    for name, text in TEXTS.items():
        model = StaticModel(path(MULTILINGUAL))
        warned = messages(lambda: model.encode(["the", text]))  # noqa: B023
        read = name in ("Cyrillic", "Chinese characters", "Hiragana", "Katakana")
        assert len(warned) == (not read)
        if warned:
            assert f"text 1, in {name}. The languages of the model: {MULTILINGUAL} (" in warned[0]


def test_the_two_warnings_are_apart():
    """An empty text is no foreign one, and a filter for one kind leaves the other."""
    texts = ["hello", "日本語のテキスト", RUSSIAN]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        StaticModel().encode(texts)
    found = {warning.category: str(warning.message) for warning in caught}
    assert found.keys() == {EmptyTextWarning, LanguageWarning}
    assert found[EmptyTextWarning].startswith("1 of 3 texts have no token")
    assert found[LanguageWarning].startswith("1 of 3 checked texts are in a language")
    assert (
        "text 2, in Cyrillic. The model reads English only; staticemb-model"
        in (found[LanguageWarning])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", LanguageWarning)
        StaticModel().encode(RUSSIAN)


@given(
    st.lists(
        st.one_of(st.sampled_from([*TEXTS.values(), "w40", ""]), st.text(max_size=20)), max_size=8
    )
)
def test_vectors_are_the_same_with_and_without_the_check(path, texts):
    assume(all(text.encode(errors="replace").decode() == text for text in texts))
    bare = StaticModel(path(""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in ({}, {"precision": "int8"}, {"workers": 2}):
            expected = bare.encode(texts, on_empty="zero", **options)
            found = StaticModel(path("en")).encode(texts, **options)
            assert found.tobytes() == expected.tobytes()
        single = StaticModel(path("en"))
        for text, row in zip(texts, bare.encode(texts, on_empty="zero"), strict=True):
            assert single.encode(text).tobytes() == row.tobytes()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("period", [1, 2, 3, 4, 5, 8, 16])
def test_texts_of_two_languages_in_turn_are_seen_among_many(model, period, workers):
    """A few of each slice are checked, wherever they lie."""
    texts = (["w40"] * (period - 1) + [GREEK]) * (20_480 // period)
    (message,) = messages(lambda: model.encode(texts, workers=workers))
    count, checked = (int(word) for word in message.split()[:3:2])
    assert 0 < count <= checked <= 32 * 10
    number = int(message.partition("is text ")[2].partition(",")[0])
    assert texts[number] == GREEK


def test_a_stream_warns_at_the_first_part_that_has_one(model):
    parts = model.encode_stream(["w40"] * 20 + [GREEK] * 20, batch_size=10)
    assert [len(messages(lambda: next(parts))) for _ in range(4)] == [0, 0, 1, 0]


def test_a_program_may_count_for_itself(model):
    seen = Deduplicator(model)
    assert messages(lambda: seen.add(["w40", GREEK, "w41"])) == []
    assert messages(lambda: seen.add(["w42", RUSSIAN, GREEK])) == []
    counted = seen.foreign_texts  # an equal text is counted once
    assert (counted.checked, counted.count, counted.first) == (5, 2, 1)
    assert counted.language == "Greek"


def test_an_index_counts_passages(tmp_path, model):
    with Index.create(tmp_path / "i.db", model, passage_characters=40) as index:
        assert index.foreign_passages.count == 0
        added = [f"{GREEK}. {GREEK}.", "w40", RUSSIAN]
        assert messages(lambda: index.add(added, ids=["a", "b", "c"])) == []
        counted = index.foreign_passages
        assert (counted.checked, counted.count, counted.place) == (4, 3, "a")
        assert messages(lambda: index.add(added, ids=["a", "b", "c"])) == []
        assert index.foreign_passages.count == 3  # unchanged ones are not embedded
        assert messages(lambda: index.search(GREEK)) == []


def test_bulk_texts_warn_once_and_name_their_place(path):
    texts = TextEmbedder(path("en"))
    place = "row {}".format
    with pytest.warns(LanguageWarning, match=r"1 of 3 checked .* is row 1, in Greek\."):
        texts.embed(["w40", GREEK, None], place)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts.embed([RUSSIAN], place)
        TextEmbedder(path("en"), on_empty="zero").embed([GREEK], place)
    assert (texts.counts.checked, texts.counts.foreign) == (4, 2)


def test_the_lambda_handler_says_nothing(model):
    for request in ({"texts": [GREEK, "w40"]}, {"texts": [GREEK]}):
        assert messages(lambda: answer(model, request)) == []  # noqa: B023


def test_a_server_says_nothing_of_requests(path):
    for package in ("prometheus_client", "starlette", "uvicorn"):
        pytest.importorskip(package)
    with serving(f"m={path('en')}") as server:
        for texts in (GREEK, [GREEK, "w40"], [RUSSIAN] * 3):
            assert server.post("/v1/embeddings", {"model": "m", "input": texts})[0] == 200
        _, printed = server.stop()
    assert "alphabet" not in printed
    assert "Warning" not in printed


def test_texts_in_ascii_import_no_tables():
    code = (
        "import sys, numpy\nbefore = set(sys.modules)\n"
        "from staticemb_runtime import StaticModel\n"
        "model = StaticModel()\nmodel.encode('a')\nmodel.encode(['a plain text', 'another'])\n"
        "late = {'unicodedata', 'staticemb_runtime.encoding.alphabets'}\n"
        "print(late & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- commands -------------------------------------------------------------------------------------

LINE = "checked texts are in a language that the model does not read"


def staticemb(*arguments, given=None) -> list[str]:
    """Run the command; return the lines of standard error on foreign texts."""
    command = [sys.executable, "-m", "staticemb_runtime", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, timeout=120, input=given
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return [line for line in done.stderr.splitlines() if LINE in line]


@pytest.fixture
def lines(tmp_path):
    """A file of which the second line is Greek and the last one Russian."""
    file = tmp_path / "lines.txt"
    file.write_text(f"w40\n{GREEK}\n" + "w41 w42\n" * 5000 + RUSSIAN, encoding="utf-8")
    return file


@pytest.mark.parametrize("workers", [1, 2])
def test_encode_says_it_once_a_run(path, tmp_path, lines, workers):
    out = tmp_path / "out.npy"
    options = ["encode", "-m", path("en"), "-o", out, "--workers", workers]
    few = tmp_path / "few.txt"
    few.write_text(f"w40\n{GREEK}\n{RUSSIAN}\n", encoding="utf-8")
    (line,) = staticemb(*options, "-i", few)
    assert line == (
        f"staticemb: 2 of 3 {LINE}: their vectors mean little; the first of them is {few}, line 2, "
        "in Greek. The languages of the model: en"
    )
    (line,) = staticemb(*options, given=f"{GREEK}\n" * 9000)
    assert "the first of them is standard input, line 1, in Greek" in line
    assert staticemb(*options, "-i", few, "--on-empty", "zero") == []
    assert staticemb(*options, "-i", few, "--on-empty", "raise") == []
    (line,) = staticemb("encode", "-m", path("en"), "w40", RUSSIAN)
    assert "1 of 2" in line
    assert "in Cyrillic" in line


def test_encode_into_a_folder_says_it_once_and_again_where_a_run_goes_on(path, tmp_path):
    (tmp_path / "in").mkdir()
    for name, text in {"a": "w41", "b": GREEK, "c": "w42"}.items():
        (tmp_path / "in" / f"{name}.txt").write_text(f"w40\n{text}\n", encoding="utf-8")
    run = ["encode", "-m", path("en"), tmp_path / "in", "-o", f"{tmp_path}/out/", "--workers", 2]
    (line,) = staticemb(*run)
    assert line.startswith(f"staticemb: 1 of 6 {LINE}")
    assert "b.txt, line 2, in Greek" in line
    assert staticemb(*run) == [line]


def test_similarity_says_it(path):
    (line,) = staticemb("similarity", "-m", path("en"), "w40", GREEK)
    assert "1 of 2" in line
    assert "the first of them is text 2, in Greek" in line
    assert staticemb("similarity", "-m", path("en"), "w40", "über") == []


def test_dedup_says_it(path, lines, tmp_path):
    lines.write_text(f"w40\n{RUSSIAN}\n{GREEK}\n", encoding="utf-8")
    run = ["dedup", "-m", path("en"), "--lines", lines]
    (line,) = staticemb(*run)
    assert f"2 of 3 {LINE}" in line
    assert f"the first of them is {lines}, line 2, in Cyrillic" in line
    assert staticemb(*run, "--quiet") == []
    other = tmp_path / "other.txt"
    other.write_text("w41\n", encoding="utf-8")
    (line,) = staticemb(*run, "--against", other)
    assert "line 2, in Cyrillic" in line


def test_index_and_search_say_it(path, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("w40 w41", encoding="utf-8")
    (tmp_path / "in" / "b.txt").write_text(GREEK, encoding="utf-8")
    index = tmp_path / "i.db"
    run = ["index", "-m", path("en"), tmp_path / "in", "-o", index]
    (line,) = staticemb(*run)
    assert line.startswith(f"staticemb: note: 1 of 2 {LINE}")
    assert "b.txt, in Greek" in line
    assert staticemb(*run) == []  # nothing new was embedded
    (line,) = staticemb("search", index, GREEK)
    assert f"the first of them is the query '{GREEK}', in Greek" in line
    assert staticemb("search", index, "w40") == []
    assert staticemb("search", index, GREEK, "--method", "lexical") == []
    (line,) = staticemb("search", index, given=f"w40\n{RUSSIAN}\n{GREEK}\n{RUSSIAN}\n")
    assert f"1 of 2 {LINE}" in line
    assert "in Cyrillic" in line


def test_a_search_says_that_the_model_knows_no_word_of_a_query(tmp_path):
    with Index.create(tmp_path / "i.db") as index:
        index.add(["a house"])
    command = [sys.executable, "-m", "staticemb_runtime", "search", tmp_path / "i.db"]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=True, input="house\n日本語\n東京\n"
    )
    model, words = sorted(done.stderr.splitlines())
    assert "1 of 2 texts have no token that the model knows" in model
    assert "the first is the query '日本語'. The model reads English only" in model
    assert "no blanks between words: an index made with --trigrams" in words


def test_classify_says_it(path, tmp_path):
    file = tmp_path / "head.staticemb"
    dim = StaticModel(path("en")).dim
    weights = np.ones((2, dim), np.float32)
    head = Head("topic", "softmax", ("a", "b"), weights, np.zeros(2, np.float32))
    with_heads(path("en"), [head], file)
    run = ["classify", "-m", file]
    (line,) = staticemb(*run, given="w40\n" * 5000 + f"{GREEK}\n" * 5000)
    assert "the first of them is standard input, line " in line
    number = int(line.partition(", line ")[2].partition(",")[0])
    assert number > 5000
    (line,) = staticemb(*run, "w40", RUSSIAN, GREEK)
    assert f"2 of 3 {LINE}" in line
    assert "the first of them is text 2, in Cyrillic" in line
    assert staticemb(*run, "w40", RUSSIAN, "--on-empty", "zero") == []
