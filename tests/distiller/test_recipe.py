"""Recipes: every knob survives TOML, and nothing nonsensical becomes a recipe."""

import dataclasses
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticemb_distiller.corpus.generated import GENERATED
from staticemb_distiller.errors import RecipeError
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.recipe.shape import PRESETS, settled

paths = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


budgets = st.builds("{}{}".format, st.integers(1, 10**6), st.sampled_from("smh"))


@st.composite
def recipes(draw):
    word = draw(st.booleans())
    counted = word and draw(st.booleans())
    counts = draw(st.lists(paths, max_size=2))
    dtype = draw(st.sampled_from(["float32", "float16", "int8"]))
    clip = dtype == "int8" and draw(st.booleans())
    share = st.floats(0, 1, exclude_min=True, exclude_max=True)
    fitted = draw(st.booleans())
    text = draw(st.lists(paths.filter(GENERATED.__ne__), max_size=2)) if fitted else []
    sources = st.just(GENERATED) if text else paths.filter("none".__ne__)
    return Recipe(
        revision=draw(st.none() | paths),
        mode=draw(st.sampled_from(["word", "subword"])) if word else "output",
        vocabulary=draw(paths) if word and not counted else None,
        vocabulary_from=tuple(draw(st.lists(paths, min_size=1, max_size=2))) if counted else (),
        vocabulary_size=draw(st.integers(1, 10**6)) if counted else None,
        remove=draw(st.sampled_from(["", r"\[unused\d+\]", "\\x7f", "ä|\"'\n\t"])),
        fit=tuple(draw(st.lists(sources, min_size=1))) if fitted else ("none",),
        text=tuple(text),
        limit=draw(st.none() | st.integers(1, 10**9)) if fitted else None,
        teacher_budget=draw(st.none() | st.integers(1, 10**9) | budgets) if fitted else None,
        fit_regularization=draw(st.floats(1e-9, 1e9)),
        dims=draw(st.integers(1, 4096) | share | st.sampled_from(["all", "none"])),
        kernel_dims=2 * draw(st.integers(0, 2048)),
        prefixes=tuple(sorted(draw(st.sets(st.integers(1, 4096), max_size=4)))),
        weighting="counts" if counts else draw(st.sampled_from(["rank", "none"])),
        counts_from=tuple(counts),
        sif_coefficient=draw(st.none() | share),
        length_power=draw(st.none() | st.floats(0.1, 4.0)) if fitted else None,
        whiten=draw(st.none() | st.floats(0.0, 0.5)) if fitted else None,
        pooling=draw(st.sampled_from([None, "mean", "damped_mean"])),
        dtype=dtype,
        clip=clip,
        coarse_step=draw(share) if dtype == "int8" and not clip else None,
        damping_beta=draw(st.none() | st.floats(0, 16)),
        purpose=draw(st.sampled_from([None, "similarity", "search"])) if fitted else None,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@given(recipes(), st.booleans())
def test_a_recipe_is_the_same_after_a_round_trip_through_toml(recipe, defaults):
    assert Recipe.from_toml(recipe.to_toml(defaults=defaults)) == recipe


@pytest.mark.parametrize(
    ("fit", "coefficient", "power", "whiten", "pooling"),
    [
        (["none"], 1e-4, 1, 0, "mean"),
        (["generated"], 1e-4, 1.5, 0.1, "damped_mean"),
        (["generated::limit=5"], 1e-4, 1.5, 0.1, "damped_mean"),
        (["text.txt"], 1e-3, 1, 0, "damped_mean"),
        (["generated", "text.txt"], 1e-3, 1, 0, "damped_mean"),
    ],
)
def test_what_suits_the_fit_is_the_default(fit, coefficient, power, whiten, pooling):
    found = Recipe(fit=tuple(fit)).resolved()
    assert (found.sif_coefficient, found.pooling) == (coefficient, pooling)
    assert (found.length_power, found.whiten) == (power, whiten)


@pytest.mark.parametrize("fit", ["generated", "text.txt"])
@pytest.mark.parametrize("purpose", [None, "similarity", "search"])
def test_a_purpose_sets_what_is_not_given(fit, purpose):
    preset = PRESETS[purpose]
    found = Recipe(fit=(fit,), purpose=purpose).resolved()
    shape = preset.generated if fit == "generated" else preset.text
    assert (found.length_power, found.whiten, found.damping_beta) == (*shape, preset.damping_beta)
    given = Recipe(fit=(fit,), purpose=purpose, whiten=0.4, damping_beta=2.0).resolved()
    assert (given.length_power, given.whiten, given.damping_beta) == (shape[0], 0.4, 2.0)


@given(st.sampled_from([None, "similarity", "search"]), st.floats(0, 1))
def test_text_on_top_is_shaped_between_the_shapes_of_a_purpose(purpose, share):
    recipe = Recipe(text=("a.txt",), purpose=purpose).resolved()
    found = settled(recipe, share)
    for value, *ends in zip(
        (found.length_power, found.whiten),
        PRESETS[purpose].generated,
        PRESETS[purpose].text,
        strict=True,
    ):
        assert min(ends) - 1e-4 <= value <= max(ends) + 1e-4
    assert settled(found, 1 - share) == found


def test_a_new_purpose_takes_the_place_of_an_old_one():
    stored = Recipe(purpose="search", dims=64).resolved()
    kept = Recipe.from_dict(Recipe.overridden(stored.to_dict(), {"dims": 32})).resolved()
    assert kept == dataclasses.replace(stored, dims=32)
    for purpose in ("similarity", "search"):
        flags = {"purpose": purpose, "whiten": 0.3}
        changed = Recipe.from_dict(Recipe.overridden(stored.to_dict(), flags)).resolved()
        assert changed == Recipe(purpose=purpose, whiten=0.3, dims=64).resolved()


def test_what_is_given_stays():
    given = Recipe(
        sif_coefficient=0.5,
        fit_regularization=0.2,
        length_power=1.0,
        whiten=0.0,
        pooling="mean",
        damping_beta=0.5,
    )
    assert given.resolved() == given


@pytest.mark.parametrize(
    ("prior", "regularization"), [(None, 0.1), ("tokens", 0.1), ("zero", 0.003)]
)
def test_a_fit_without_a_prior_is_held_less(prior, regularization):
    assert Recipe(prior=prior).resolved().fit_regularization == regularization


def test_a_recipe_file_is_read(tmp_path):
    (tmp_path / "r.toml").write_text('dims = 0.9  # a share\ndtype = "int8"\n', encoding="utf-8")
    assert Recipe.read(tmp_path / "r.toml") == Recipe(dims=0.9, dtype="int8")


def test_whole_numbers_do_for_real_ones():
    recipe = Recipe.from_toml("damping_beta = 1\ndims = 64")
    assert type(recipe.damping_beta) is float
    assert type(recipe.dims) is int


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dims = 0", "dims: expected a number of at least 1, found 0"),
        ("dims = 1.5", "dims"),
        ("dims = true", "dims"),
        ('dims = "256"', "dims"),
        ("sif_coefficient = 0", "strictly between 0 and 1"),
        ("sif_coefficient = 1.0", "strictly between 0 and 1"),
        ("sif_coefficient = nan", "sif_coefficient"),
        ("damping_beta = 17.0", "damping_beta"),
        ("length_power = 0.0", "length_power: expected a number above 0 and at most 4"),
        ("whiten = 0.6", "whiten: expected a number from 0 to 0.5"),
        ('fit = ["none"]\nwhiten = 0.1', "whiten: only a fitted table has a shape, found 0.1"),
        ("kernel_dims = 7", "kernel_dims: expected an even number from 0 to 16384, found 7"),
        ("kernel_dims = -2", "kernel_dims"),
        ("kernel_dims = 1000000000", "kernel_dims"),
        ("prefixes = [64, 32]", "ascending"),
        ("prefixes = [0]", "prefixes"),
        ('prefixes = ["32"]', "prefixes"),
        ("clusters = 0", "clusters"),
        ('purpose = "fun"', 'purpose: expected "similarity" or "search", found'),
        ('fit = ["none"]\npurpose = "search"', "purpose: only a fitted table has one"),
        ("seed = -1", "seed"),
        ('remove = "("', "regular expression"),
        ('dtype = "float64"', 'expected "float32" or "float16" or "int8"'),
        ("fit = []", "none alone, or sources"),
        ('fit = ["none", "text.txt"]', "none alone, or sources"),
        ('fit = ["none"]\nlimit = 10', "limit: there is no text"),
        ('fit = ["none"]\ntext = ["a.txt"]', "text: expected only generated sequences"),
        ('fit = ["a.txt", "generated"]\ntext = ["b.txt"]', "found fit= a.txt generated"),
        ('text = ["generated::limit=9"]', "text: expected sources other than"),
        ('teacher_budget = "10"', "teacher_budget: expected a number of texts of at least 1, or a"),
        ('teacher_budget = "0m"', "teacher_budget"),
        ('teacher_budget = "infh"', "teacher_budget"),
        ('teacher_budget = "soon"', "teacher_budget"),
        ("teacher_budget = 0", "teacher_budget"),
        ('fit = ["generated"]\nfit_rounds = 0', "fit_rounds: expected a number of at least 1"),
        ('vectors_from = "input"', 'vectors_from="output"'),
        ('mode = "word"', "vocabulary"),
        ('mode = "word"\nvocabulary = "a"\nvocabulary_from = ["b"]', "both"),
        ('vocabulary = "words.txt"', "mode"),
        ('mode = "word"\nvocabulary_from = ["text"]', "vocabulary_size"),
        ('mode = "word"\nvocabulary = "a"\nvocabulary_size = 3', "vocabulary_from"),
        ('weighting = "counts"', "counts_from"),
        ('counts_from = ["text"]', "counts_from"),
        ("clip = true", "clip"),
        ("coarse_step = 0.3", "coarse_step: only an int8 table"),
        ('dtype = "int8"\nclip = true\ncoarse_step = 0.3', "found clip"),
        ('dtype = "int8"\ncoarse_step = 0.0', "coarse_step"),
        ("colour = 1", "no knob is called 'colour'"),
        ("dims = ", "not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(text, says):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text, source="my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_an_unreadable_recipe_is_refused(tmp_path, content):
    if content:
        (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.read(tmp_path / "r.toml")


def test_every_knob_has_help_and_a_name_that_makes_a_flag():
    assert list(Recipe.knob_types()) == [knob.name for knob in dataclasses.fields(Recipe)]
    for name in Recipe.knob_types():
        assert set(name) <= set(string.ascii_lowercase + "_")
        assert len(Recipe.knob_help(name)) > 10
