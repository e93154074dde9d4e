"""Text generated from the word lists of languages, and models that are fitted to it."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staticemb_runtime
from staticemb_distiller import Recipe, distill
from staticemb_distiller.corpus.generated import generate_in
from staticemb_distiller.corpus.word_lists import lists_version, word_list
from staticemb_distiller.errors import MissingPackageError, RecipeError, TextSourceError

pytest.importorskip("wordfreq")

LANGUAGES = ("en", "de", "ru", "ja", "zh")


def teacher(texts):
    """A teacher that knows letters: vectors of character counts, which share one direction."""
    vectors = np.ones((len(texts), 16), np.float32)
    for row, text in enumerate(texts):
        for character in text.lower():
            vectors[row, ord(character) % 16] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True),
    st.integers(0, 2000),
    st.integers(0, 2**32 - 1),
)
def test_languages_have_equal_shares_that_do_not_depend_on_each_other(languages, count, seed):
    texts = generate_in(languages, count, seed=seed)
    assert len(texts) == count
    start = 0
    for index, language in enumerate(languages):
        share = count // len(languages) + (index < count % len(languages))
        alone = generate_in([language], share, seed=seed)
        assert texts[start : start + share] == alone
        start += share


@pytest.mark.parametrize("language", LANGUAGES)
def test_sequences_have_the_frequent_words_of_the_language(language):
    words = word_list(language)
    assert len(words) == len(set(words)) == 40_000
    assert not any(character.isdigit() for word in words for character in word)
    texts = generate_in([language], 2000)
    if language in ("ja", "zh"):
        assert not any(" " in text for text in texts)
        assert sum(words[0] in text for text in texts) > 200
    else:
        counts = Counter(word for text in texts for word in text.lower().strip(".?").split())
        assert counts[words[0]] > counts[words[50]] > counts[words[5000]]
    assert all(text[0] == text[0].upper() for text in texts if text.endswith((".", "?")))


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("deu", "; the nearest is de"),
        ("pt-BR", "; the nearest is pt"),
        ("zh-TW", "; the nearest is zh"),
        ("cmn", "; the nearest is zh"),
        ("no", "; the nearest is nb"),
        ("hr", "; the nearest is sh"),
        ("eu", ""),
        ("xx", ""),
    ],
)
def test_a_language_without_a_list_is_named(code, meant):
    with pytest.raises(TextSourceError) as caught:
        generate_in(["en", code], 2)
    message = str(caught.value)
    assert f"found {code!r}" in message
    assert " de " in message
    assert "\n" not in message
    assert message.endswith(meant or repr(code))


@pytest.mark.parametrize("codes", [("en", "en"), ("EN",), ("e n",), ("",)])
def test_codes_of_another_form_are_refused(codes):
    with pytest.raises(RecipeError, match="fit_language"):
        Recipe(fit_language=codes)


@pytest.mark.parametrize("code", ["pt_BR", "EN"])
def test_the_error_about_a_code_of_another_form_says_how_codes_are_written(code):
    with pytest.raises(RecipeError, match=f"lower case and without a country, .*{code}"):
        Recipe(fit_language=(code,))


def test_an_earlier_recipe_has_one_language():
    assert Recipe.from_toml('fit_language = "en"').fit_language == ()
    assert Recipe.from_toml('fit_language = "de"').fit_language == ("de",)
    assert Recipe.from_toml('fit_language = ["de", "fr"]').fit_language == ("de", "fr")
    assert "fit_language" not in Recipe().to_toml()


def test_a_table_is_fitted_to_languages_and_its_file_names_the_lists(tmp_path):
    recipe = Recipe(
        tokenizer="train:unigram:3000",
        fit=("generated::limit=3000",),
        fit_language=("en", "ru", "ja"),
        prior="zero",
        dims=16,
    )
    paths = [distill(teacher, recipe, tmp_path / name) for name in ("a.staticemb", "b.staticemb")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    model = staticemb_runtime.StaticModel.load(paths[0])
    assert lists_version() in model.metadata.extra["x-input-version"].splitlines()
    assert Recipe.from_toml(model.metadata.extra["recipe"]).fit_language == ("en", "ru", "ja")
    assert model.metadata.extra["languages"] == "en ru ja"
    texts = ["the house is old", "дом очень старый", "これはとても古い"]
    vectors = model.encode(texts)
    assert vectors.any(axis=1).all()
    centered = teacher(texts) - teacher(generate_in(["en", "ru", "ja"], 300)).mean(0)
    centered /= np.linalg.norm(centered, axis=1, keepdims=True)
    closest = (model.project(teacher(texts)) @ vectors.T).argmax(1)
    assert closest.tolist() == [0, 1, 2]


def test_without_the_package_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['wordfreq'] = None\n"
        "from staticemb_distiller.corpus.word_lists import word_list\n"
        "from staticemb_distiller.errors import MissingPackageError\n"
        "try: word_list('en')\n"
        "except MissingPackageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "staticemb-distiller[languages]" in done.stdout
    assert issubclass(MissingPackageError, ImportError)


def test_text_in_a_language_without_a_list_needs_none(tmp_path):
    source = tmp_path / "text.jsonl"
    source.write_text("".join(json.dumps({"text": f"saluton mondo {n}"}) + "\n" for n in range(99)))
    recipe = Recipe(
        tokenizer="train:wordpiece:60",
        fit=(str(source),),
        fit_language=("eo",),
        prior="zero",
        dims=16,
    )
    path = distill(teacher, recipe, tmp_path / "eo.staticemb")
    assert staticemb_runtime.StaticModel.load(path).encode("saluton").any()
