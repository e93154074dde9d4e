"""Texts in another language of Latin letters: named by their common words, and embedded."""

import gzip
import json
import subprocess
import sys
import warnings
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import warned
from runtime.test_alphabets import GREEK, MULTILINGUAL
from staticemb_runtime import StaticModel
from staticemb_runtime.encoding.common_words import words_of
from staticemb_runtime.encoding.foreign_texts import ForeignTexts
from staticemb_runtime.errors import LanguageWarning
from staticemb_runtime.search import Deduplicator, Index

SENTENCES = {
    "Croatian or Serbian": "Mačka spava na kauču i ne zna da je pas u kuhinji",
    "Czech or Slovak": "Kočka spí na pohovce a pes se dívá z okna, ale je to tak",
    "Danish or Norwegian": "Katten sover på sofaen, og jeg ved at det er en god dag for den",
    "Dutch": "De kat slaapt op de bank en de hond ligt niet in het huis",
    "Finnish": "Kissa nukkuu sohvalla ja koira on keittiössä, mutta se ei ole väsynyt",
    "French": "Le chat dort sur le canapé et le chien est dans la cuisine",
    "German": "Die Katze schläft auf dem Sofa und der Hund ist nicht in der Küche",
    "Hungarian": "A macska alszik a kanapén, és a kutya nem volt a konyhában, csak egy napig",
    "Indonesian or Malay": "Kucing yang tidur di sofa itu tidak akan pergi ke dapur dengan anjing",
    "Italian": "Il gatto dorme sul divano e il cane non è in cucina con la mamma",
    "Polish": "Kot śpi na kanapie, ale pies nie jest w kuchni, tak jak co dzień",
    "Portuguese": "O gato dorme no sofá e o cachorro não está na cozinha com uma bola",
    "Romanian": "Pisica doarme pe canapea și câinele nu este în bucătărie cu o minge",
    "Spanish": "El gato duerme en el sofá y el perro no está en la cocina",
    "Swedish": "Katten sover på soffan och hunden är inte i köket, det är bra att ha",
    "Turkish": "Kedi kanepede uyuyor ve köpek bu evde değil, çok iyi bir gün",
    "Vietnamese": "Con mèo ngủ và con chó không có trong bếp với những người này",
}
GERMAN = SENTENCES["German"]
READ = ("Dutch", "French", "German", "Italian", "Polish", "Portuguese", "Spanish")

# The codes of word lists and of Tatoeba, and the names that they may get.
NAMES = {
    ("ca", "cat"): "Catalan",
    ("cs", "ces"): "Czech or Slovak",
    ("da", "dan"): "Danish or Norwegian",
    ("de", "deu"): "German",
    ("en", "eng"): "English",
    ("es", "spa"): "Spanish",
    ("fi", "fin"): "Finnish",
    ("fil", "tgl"): "Filipino",
    ("fr", "fra"): "French",
    ("hu", "hun"): "Hungarian",
    ("id", "ind"): "Indonesian or Malay",
    ("is", "isl"): "Icelandic",
    ("it", "ita"): "Italian",
    ("lt", "lit"): "Lithuanian",
    ("lv", "lvs"): "Latvian",
    ("nb", "nob"): "Danish or Norwegian",
    ("nl", "nld"): "Dutch",
    ("pl", "pol"): "Polish",
    ("pt", "por"): "Portuguese",
    ("ro", "ron"): "Romanian",
    ("sk", "slk"): "Czech or Slovak",
    ("sl", "slv"): "Slovenian",
    ("sv", "swe"): "Swedish",
    ("tr", "tur"): "Turkish",
    ("vi", "vie"): "Vietnamese",
}


# --- one text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_is_named(language):
    assert words_of("en").language(SENTENCES[language]) == language
    # Slavic languages share the short words of Polish, which the model reads.
    expected = {""} if language in READ else {"", language}
    assert words_of(MULTILINGUAL).language(SENTENCES[language]) in expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Los Angeles, La Paz, El Paso, São Paulo, Den Haag",
        "The Los Angeles Times and El País de la Torre",
        "no oxygen, no fire",
        "De Niro, Di Caprio, van Gogh and von Braun",
        "Schwarz GmbH, Köln",
        "for i in range(n): a[i] = on.get(i, no)",
        "Ödön von Horváth",
        "Do I see a man in a bar? I do. A man? No: men.",
    ],
)
def test_english_and_names_are_of_no_other_language(text):
    assert words_of("en").language(text) == ""


@given(st.text())
def test_any_string_has_an_answer(text):
    assert isinstance(words_of("en").language(text), str)


@given(st.data())
@pytest.mark.parametrize("languages", ["en", "de", MULTILINGUAL, "en sv ru", "fi ja"])
def test_words_of_the_models_languages_never_count_as_foreign(languages, data):
    """Half as many of them as of another language's are enough for a text to be read."""
    pytest.importorskip("wordfreq")
    from wordfreq import top_n_list

    lists = [top_n_list(code, 12) for code in languages.split() if code not in ("ru", "zh", "ja")]
    own = data.draw(st.lists(st.sampled_from([word for words in lists for word in words])))
    reader = words_of(languages)
    assert reader.language(" ".join(own)) == ""


@pytest.mark.parametrize("languages", ["", "multilingual", "en xx", "en tlh-Latn"])
def test_unknown_languages_are_not_judged(languages):
    assert words_of(languages) is None


def test_a_tags_first_part_is_the_language():
    assert words_of("en-US de-AT").language(GERMAN) == ""
    assert words_of("EN-us").language(GERMAN) == "German"
    assert words_of("ru").language(GERMAN) == "German"
    assert words_of("zh").language("The cat is on the sofa and it sleeps") == "English"


def test_the_beginning_decides():
    assert words_of("en").language("x" * 128 + " " + GERMAN) == ""
    assert words_of("en").language(GERMAN + "." * 128 + " the of and to" * 200) == "German"


def test_each_language_with_a_word_list_is_known_and_reads_itself():
    wordfreq = pytest.importorskip("wordfreq")
    names = {code: name for (code, _), name in NAMES.items()}
    for code in wordfreq.available_languages("best"):
        reader = words_of(code)
        assert reader is not None, code
        commonest = " ".join(wordfreq.top_n_list(code, 30))
        assert reader.language(commonest) == "", code
        if code in names and code != "en":
            assert words_of("en").language(commonest) == names[code], code


@pytest.fixture(scope="module")
def tatoeba(shared):
    sentences = defaultdict(list)
    with gzip.open(shared / "text" / "tatoeba.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            code, sentence = line.rstrip("\n").split("\t", 1)
            if len(sentences[code]) < 1000:
                sentences[code].append(sentence)
    return sentences


@pytest.mark.shared
@pytest.mark.parametrize(("codes", "name"), NAMES.items())
def test_sentences_of_each_language_are_noticed_by_others_alone(tatoeba, codes, name):
    code, longer = codes
    sentences = [text for text in tatoeba[longer] if len(text.split()) >= 10]
    other = words_of("de" if code == "en" else "en")
    named = [language for text in sentences if (language := other.language(text))]
    assert len(named) >= 0.05 * len(sentences)
    assert named.count(name) >= 0.5 * len(named)
    assert sum(map(bool, map(words_of(code).language, tatoeba[longer]))) <= 2


@pytest.mark.shared
def test_english_collections_are_in_no_other_language(shared):
    english = words_of("en")
    for name in ("nfcorpus", "cranfield"):
        folder = shared / "eval" / "retrieval" / name
        for file in ("corpus.jsonl", "queries.jsonl"):
            rows = map(json.loads, (folder / file).read_text("utf-8").splitlines())
            named = [row["text"] for row in rows if english.language(row["text"])]
            assert all("Zöliakie" in text for text in named)  # one abstract is in German as well
    with gzip.open(shared / "text" / "cc.txt.gz", "rt", encoding="utf-8") as file:
        lines = [line for _, line in zip(range(50_000), file, strict=False)]
    assert sum(map(bool, map(english.language, lines))) <= 5


# --- a model --------------------------------------------------------------------------------------


@pytest.fixture
def model():
    return StaticModel.load()


def messages(call) -> list[str]:
    """What a call warns of."""
    return warned.messages(call, LanguageWarning)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.encode([GERMAN, "a text"]),
        lambda model: model.encode(np.array([GERMAN, "a text"])),
        lambda model: model.encode(iter([GERMAN])),
        lambda model: model.encode([GERMAN, "x"], prompt="this is a prompt for all of the texts: "),
        lambda model: model.encode_document([GERMAN, "a text"]),
        lambda model: list(model.encode_stream([GERMAN])),
        lambda model: model.encode_tokens([GERMAN]),
        lambda model: model.encode([GERMAN, "a text"], workers=2, precision="int8"),
    ],
)
def test_whatever_embeds_several_texts_warns_once(model, call):
    (message,) = messages(lambda: call(model))
    assert " checked texts are in a language that the model does not read: " in message
    assert "text 0, in German. The model reads English only; staticemb-model-multi" in message
    assert messages(lambda: call(model)) == []  # it was said


@pytest.mark.parametrize("language", [*SENTENCES, "Greek"])
def test_the_multilingual_model_is_named_for_what_it_reads(language):
    texts = ForeignTexts()
    texts.count, texts.language, texts.languages = 1, language, "en"
    assert ("staticemb-model-multilingual" in texts.describe()) == (language in READ)


def test_a_single_text_is_not_looked_at(model):
    assert messages(lambda: model.encode(GERMAN)) == []
    assert messages(lambda: model.encode([GERMAN])) == []
    assert len(messages(lambda: model.encode([GERMAN, GERMAN]))) == 1


def test_words_are_looked_for_until_256_texts_were_read(model):
    assert messages(lambda: [model.encode(["a text"] * 25) for _ in range(10)]) == []
    assert len(messages(lambda: model.encode(["a text"] * 25 + [GERMAN]))) == 1
    other = StaticModel.load()
    assert messages(lambda: [other.encode(["a text"] * 26) for _ in range(10)]) == []
    assert messages(lambda: other.encode([GERMAN] * 25)) == []
    assert len(messages(lambda: other.encode([GREEK] * 25))) == 1  # alphabets are, for ever


def test_a_program_counts_all_of_another_language(model):
    seen = Deduplicator(model)
    texts = [f"{GERMAN} {number}" for number in range(600)]
    for begin in range(0, 600, 60):
        assert messages(lambda: seen.add(texts[begin : begin + 60])) == []  # noqa: B023
    counted = seen.foreign_texts
    assert (counted.checked, counted.count, counted.language) == (600, 600, "German")


def test_an_index_counts_passages(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as index:
        assert messages(lambda: index.add(["a text", GERMAN], ids=["a", "b"])) == []
        counted = index.foreign_passages
        assert (counted.checked, counted.count, counted.place) == (2, 1, "b")


@given(st.lists(st.sampled_from([*SENTENCES.values(), "a text", GREEK, ""]), max_size=8))
def test_vectors_are_the_same_with_and_without_the_check(texts):
    expected = StaticModel.load().encode(texts, on_empty="zero")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert StaticModel.load().encode(texts).tobytes() == expected.tobytes()


# --- commands -------------------------------------------------------------------------------------


def staticemb(*arguments, given=None) -> str:
    """Run the command; return standard error."""
    command = [sys.executable, "-m", "staticemb_runtime", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=True, timeout=120, input=given
    )
    assert "Warning" not in done.stderr
    return done.stderr


def test_commands_say_it(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text(f"a text\n{GERMAN}\n", encoding="utf-8")
    found = f"1 of 2 checked texts are in a language that the model does not read: their vectors \
mean little; the first of them is {lines}, line 2, in German. The model reads English only"
    assert found in staticemb("encode", "-i", lines, "-o", tmp_path / "out.npy")
    assert found in staticemb("dedup", "--lines", lines)
    assert "text 2, in German" in staticemb("similarity", "a text", GERMAN)
    index = tmp_path / "i.db"
    assert "lines.txt" in staticemb("index", "--lines", lines, "-o", index)
    assert "in German" in staticemb("search", index, GERMAN)
    assert "language" not in staticemb("search", index, "a text")
