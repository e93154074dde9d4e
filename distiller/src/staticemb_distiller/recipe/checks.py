"""Checks of a recipe: the range of each knob, and contradictions between knobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..corpus.generated import GENERATED
from ..corpus.source_spec import GIVEN
from ..errors import RecipeError
from .budget import Budget
from .knobs import refuse
from .shape import check_shape

if TYPE_CHECKING:
    from .recipe import Recipe

_MOST_KERNEL_DIMS = 16_384


def check_ranges(recipe: Recipe) -> None:
    """Check each knob by itself.

    Raises:
        RecipeError: A value is out of range.
    """
    if recipe.sif_coefficient is not None and not 0.0 < recipe.sif_coefficient < 1.0:
        refuse("sif_coefficient", "a number strictly between 0 and 1", recipe.sif_coefficient)
    if isinstance(recipe.dims, float) and not 0.0 < recipe.dims < 1.0:
        refuse("dims", 'a whole number, a share between 0 and 1, "all" or "none"', recipe.dims)
    positive = ("dims", "clusters", "max_tokens", "vocabulary_size", "keep_min_count")
    of_the_fit = ("limit", "fit_rounds", "fit_iterations")
    for name in (*positive, *of_the_fit, "damping_dims"):
        value = getattr(recipe, name)
        if isinstance(value, int) and value < 1:
            refuse(name, "a number of at least 1", value)
    if not 0 <= recipe.kernel_dims <= _MOST_KERNEL_DIMS or recipe.kernel_dims % 2:
        expected = f"an even number from 0 to {_MOST_KERNEL_DIMS}"
        refuse("kernel_dims", expected, recipe.kernel_dims)
    try:
        Budget.parse(recipe.teacher_budget)
    except ValueError:
        expected = "a number of texts of at least 1, or a time such as 90s, 10m or 2h"
        refuse("teacher_budget", expected, recipe.teacher_budget)
    if not 0 <= recipe.seed < 2**32:
        refuse("seed", "a number from 0 to 2^32 - 1", recipe.seed)
    for language in recipe.fit_language:
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]+)*", language):
            expected = "codes of languages in lower case and without a country, such as en"
            refuse("fit_language", expected, language)
        if recipe.fit_language.count(language) > 1:
            refuse("fit_language", "each language once", list(recipe.fit_language))
    alone = next((name for name in ("none", GIVEN) if name in recipe.fit), None)
    if not recipe.fit or (alone is not None and len(recipe.fit) > 1):
        refuse("fit", f"{alone or 'none'} alone, or sources of text", list(recipe.fit))
    if recipe.fit_regularization is not None and not recipe.fit_regularization > 0.0:
        refuse("fit_regularization", "a number above 0", recipe.fit_regularization)
    if not 0.0 <= recipe.fit_tolerance < 1.0:
        refuse("fit_tolerance", "a number of at least 0 and below 1", recipe.fit_tolerance)
    check_shape(recipe.length_power, recipe.whiten)
    if recipe.coarse_step is not None and not 0.0 < recipe.coarse_step <= 1.0:
        refuse("coarse_step", "a number above 0 and at most 1", recipe.coarse_step)
    if recipe.damping_beta is not None and not 0.0 <= recipe.damping_beta <= 16.0:
        refuse("damping_beta", "a number from 0 to 16", recipe.damping_beta)
    if any(a >= b for a, b in zip((0, *recipe.prefixes), recipe.prefixes, strict=False)):
        refuse("prefixes", "lengths of at least 1 in ascending order", list(recipe.prefixes))
    try:
        re.compile(recipe.remove)
    except re.error as error:
        msg = f"remove: expected a regular expression, found {recipe.remove!r} ({error})"
        raise RecipeError(msg) from error


def check_agreement(recipe: Recipe) -> None:
    """Check the knobs against each other.

    Raises:
        RecipeError: A value contradicts another value.
    """
    _check_words(recipe)
    _check_fit(recipe)
    _check_storage(recipe)


def _check_words(recipe: Recipe) -> None:
    """Check the knobs of the vocabulary and of the token weights."""
    vocabulary_inputs = [recipe.vocabulary is not None, bool(recipe.vocabulary_from)]
    if recipe.mode == "output" and any(vocabulary_inputs):
        msg = (
            'mode="output" takes no vocabulary= and no vocabulary_from=; use '
            'mode="word" or mode="subword"'
        )
        raise RecipeError(msg)
    if recipe.mode != "output" and sum(vocabulary_inputs) != 1:
        found = "both" if any(vocabulary_inputs) else "neither"
        msg = f'mode="{recipe.mode}" needs vocabulary= or vocabulary_from=, found {found}'
        raise RecipeError(msg)
    if recipe.vocabulary_from and recipe.vocabulary_size is None:
        msg = "vocabulary_size: expected the number of words to take from the text, found none"
        raise RecipeError(msg)
    if (
        recipe.vocabulary_size is not None or recipe.vocabulary_phrases
    ) and not recipe.vocabulary_from:
        msg = "vocabulary_from: expected text files to count the vocabulary from, found none"
        raise RecipeError(msg)
    if (recipe.weighting == "counts") != bool(recipe.counts_from):
        msg = 'counts_from: expected text files with weighting="counts", and only then'
        raise RecipeError(msg)


def _check_fit(recipe: Recipe) -> None:
    """Check the knobs of the fit and of the shape of fitted rows."""
    places = [spec.partition("::")[0] for spec in recipe.fit]
    if recipe.text and set(places) != {GENERATED}:
        msg = (
            "text: expected only generated sequences in fit=, found "
            f"fit= {' '.join(recipe.fit)}; to fit to text alone, name it in fit="
        )
        raise RecipeError(msg)
    if GENERATED in (spec.partition("::")[0] for spec in recipe.text):
        refuse("text", "sources other than generated sequences", list(recipe.text))
    if not recipe.fitted and recipe.purpose is not None:
        msg = f'purpose: only a fitted table has one, found {recipe.purpose} and fit="none"'
        raise RecipeError(msg)
    if not recipe.fitted and recipe.prior == "zero":
        msg = 'prior: prior="zero" needs a fit, found fit="none"'
        raise RecipeError(msg)
    if GIVEN in recipe.fit and (recipe.limit, recipe.teacher_budget) != (None, None):
        name = "teacher_budget" if recipe.limit is None else "limit"
        raise RecipeError(f"{name}: all given vectors are used, and no teacher runs")
    if GIVEN in recipe.fit and recipe.prior == "tokens":
        raise RecipeError("prior: given vectors have no teacher to encode tokens; use zero")
    if not recipe.fitted and (recipe.limit, recipe.teacher_budget) != (None, None):
        name = "teacher_budget" if recipe.limit is None else "limit"
        msg = f'{name}: there is no text to limit with fit="none"'
        raise RecipeError(msg)
    for name, neutral in (("length_power", 1.0), ("whiten", 0.0)):
        value = getattr(recipe, name)
        if not recipe.fitted and value not in (None, neutral):
            msg = f'{name}: only a fitted table has a shape, found {value:g} and fit="none"'
            raise RecipeError(msg)
    if recipe.fitted and (recipe.vectors_from, recipe.teacher_pooling) != ("output", "teacher"):
        msg = (
            'fit: a fitted table needs vectors_from="output" and teacher_pooling="teacher", '
            f"found {recipe.vectors_from} and {recipe.teacher_pooling}; use these values with "
            'fit="none"'
        )
        raise RecipeError(msg)


def _check_storage(recipe: Recipe) -> None:
    """Check the knobs of the number format."""
    if recipe.clip and recipe.dtype != "int8":
        msg = f'clip: only an int8 table can be clipped, found dtype="{recipe.dtype}"'
        raise RecipeError(msg)
    if recipe.coarse_step is not None and (recipe.clip or recipe.dtype != "int8"):
        found = "clip=" if recipe.clip else f'dtype="{recipe.dtype}"'
        msg = f"coarse_step: only an int8 table without clip= can have one step, found {found}"
        raise RecipeError(msg)
