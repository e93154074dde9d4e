"""Every knob of a distillation, declared once: a dataclass, read from and written as TOML.

A recipe and a teacher decide the file that comes out. What only decides how the work is done (the
device, a checkpoint folder, progress bars) is no part of it, nor is what only the user may decide:
whether a teacher's code runs, and where files are written. A recipe may come from a stranger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from ..corpus.generated import GENERATED
from ..errors import RecipeError
from .budget import Budget
from .knobs import Knobs, knob, refuse
from .shape import GENERATED_SHAPE, TEXT_SHAPE, check_shape

UNUSED = r"\[unused\d+\]"
"""The tokens that BERT reserved for later."""


@dataclass(frozen=True, kw_only=True)
class Recipe(Knobs):
    """How to make a static model from a teacher. The defaults make a good one.

    Raises:
        RecipeError: A value is of the wrong kind, out of range, or contradicts another.

    Example:
        >>> print(Recipe(dims=128, dtype="int8").to_toml(defaults=False))
        dims = 128
        dtype = "int8"
    """

    RETIRED: ClassVar[dict[str, str]] = {
        "trust_remote_code": "a recipe cannot allow a teacher's code to run; --trust-remote-code "
        "(trust_remote_code=True) of the call does"
    }

    # The teacher
    revision: str | None = knob(None, "the teacher's revision on the Hub: a commit, branch or tag")
    teacher_dtype: Literal["auto", "float32", "float16", "bfloat16"] = knob(
        "auto", "number format in which the teacher computes"
    )

    # The vocabulary
    mode: Literal["output", "word", "subword"] = knob(
        "output",
        "output: the teacher's own subwords; word: only the given vocabulary; "
        "subword: the given vocabulary on top of the subwords",
    )
    vocabulary: str | None = knob(None, "file with the vocabulary, one entry a line", is_input=True)
    vocabulary_from: tuple[str, ...] = knob(
        (), "text files to count a vocabulary from", is_input=True
    )
    vocabulary_size: int | None = knob(
        None, "how many words to take from the text; subword: of those that the tokenizer splits"
    )
    vocabulary_phrases: bool = knob(False, "count phrases of two words, too")
    remove: str = knob(
        UNUSED,
        "regular expression: tokens that begin with a match are removed; empty: none are",
    )
    keep_used_in: tuple[str, ...] = knob(
        (),
        "text files: tokens that occur in them less than keep_min_count times are removed",
        is_input=True,
    )
    keep_min_count: int = knob(1, "how often a token must occur in the text of keep_used_in")

    # Token vectors
    vectors_from: Literal["output", "input"] = knob(
        "output", "output: a forward pass for each token; input: the teacher's input embeddings"
    )
    teacher_pooling: Literal["teacher", "mean", "first", "last", "pooler"] = knob(
        "teacher",
        "how a token's forward pass becomes a vector; teacher: all of the teacher's own modules",
    )

    # The fit
    fit: tuple[str, ...] = knob(
        ("generated",),
        "what to fit the table to: generated (sequences of the vocabulary's words: no text is "
        "needed) or text, each a file, a folder or hf:ID, with ::KEY=VALUE,... after it for "
        "column, weight, limit, split, config, revision; none: the classical table",
        is_input=True,
    )
    text: tuple[str, ...] = knob(
        (),
        "text of yours on top of generated sequences, each as in fit; text in fit is fitted to "
        "alone",
    )
    limit: int | None = knob(
        None, "the most texts to take from each source of text, or of fit where there is none"
    )
    teacher_budget: int | str | None = knob(
        None,
        "how much the teacher reads for the fit, the texts that cover most tokens first: a number "
        "of texts, or a time such as 90s, 10m or 2h, and then the result depends on the machine",
    )
    fit_language: str = knob("en", "code of the language by whose rules text is cut at sentences")
    fit_regularization: float = knob(
        0.1, "how much the fit holds on to the classical table, above 0"
    )
    fit_rounds: int = knob(2, "how often the fit's equations are set up anew and solved")
    fit_iterations: int = knob(15, "the most steps of solving in a round")
    fit_tolerance: float = knob(0.02, "relative residual at which a round's solving stops")

    # All fitted rows alike
    length_power: float | None = knob(
        None,
        "raise the lengths of fitted rows to it: above 1, rare tokens count more (default: 1.5 "
        "for a table that is fitted to nothing but generated sequences, less with text on top of "
        "them, 1 for any other)",
    )
    whiten: float | None = knob(
        None,
        "even out the directions that the fit's texts use: 0 leaves them, 0.5 makes them equal "
        "(default: 0.1 for a table that is fitted to nothing but generated sequences, less with "
        "text on top of them, 0 for any other)",
    )

    # Rotation
    dims: int | float | Literal["all", "none"] = knob(
        256,
        "principal components to keep: a number, the share of variance to keep (0.95), "
        "all (rotation only), or none (no rotation)",
    )
    prefixes: tuple[int, ...] = knob(
        (), "prefix lengths to recommend in the file; left out: powers of two from 32"
    )

    # Weights
    weighting: Literal["rank", "counts", "none"] = knob(
        "rank",
        "rank: Zipf's law; counts: frequencies counted in the text of counts_from; "
        "none: all tokens weigh the same",
    )
    sif_coefficient: float | None = knob(
        None,
        "a in the weight a / (a + p) of a token of probability p (default: 0.001 where fit names "
        "text, 0.0001 anywhere else)",
    )
    counts_from: tuple[str, ...] = knob(
        (), "text files to count token frequencies in", is_input=True
    )
    store_weights: bool = knob(
        False,
        "store the weights beside the rows, not multiplied in: more exact with int8, but slower",
    )

    # Storage
    dtype: Literal["float32", "float16", "int8"] = knob("float16", "number format of the table")
    clip: bool = knob(
        False, "int8: cut off a column's largest elements where that lowers its squared error"
    )
    coarse_step: float | None = knob(
        None,
        "int8: one step for all columns, in root mean squares of the table; 0.3 compresses to "
        "half of what 8 bits take (default: as fine as int8 allows)",
    )
    clusters: int | None = knob(None, "merge similar tokens' rows until this many are left")

    # What the runtime does
    pooling: Literal["mean", "damped_mean"] | None = knob(
        None,
        "how a text's rows become one vector (default: damped_mean for a fitted table, mean for "
        "the classical one)",
    )
    damping_beta: float = knob(1.0, "damped_mean: strength, 0 to 16")
    damping_dims: int = knob(64, "damped_mean: leading dimensions that it compares")
    normalize: bool = knob(True, "scale the vectors of texts to length one")
    max_tokens: int | None = knob(None, "cut texts to this many tokens")

    seed: int = knob(0, "for every step that draws random numbers")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ranges()
        self._check_agreement()

    def _check_ranges(self) -> None:
        if self.sif_coefficient is not None and not 0.0 < self.sif_coefficient < 1.0:
            refuse("sif_coefficient", "a number strictly between 0 and 1", self.sif_coefficient)
        if isinstance(self.dims, float) and not 0.0 < self.dims < 1.0:
            refuse("dims", 'a whole number, a share between 0 and 1, "all" or "none"', self.dims)
        positive = ("dims", "clusters", "max_tokens", "vocabulary_size", "keep_min_count")
        of_the_fit = ("limit", "fit_rounds", "fit_iterations")
        for name in (*positive, *of_the_fit, "damping_dims"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 1:
                refuse(name, "a number of at least 1", value)
        try:
            Budget.parse(self.teacher_budget)
        except ValueError:
            expected = "a number of texts of at least 1, or a time such as 90s, 10m or 2h"
            refuse("teacher_budget", expected, self.teacher_budget)
        if not 0 <= self.seed < 2**32:
            refuse("seed", "a number from 0 to 2^32 - 1", self.seed)
        if not self.fit or ("none" in self.fit and len(self.fit) > 1):
            refuse("fit", "none by itself, or sources of text", list(self.fit))
        if not self.fit_regularization > 0.0:
            refuse("fit_regularization", "a number above 0", self.fit_regularization)
        if not 0.0 <= self.fit_tolerance < 1.0:
            refuse("fit_tolerance", "a number of at least 0 and below 1", self.fit_tolerance)
        check_shape(self.length_power, self.whiten)
        if self.coarse_step is not None and not 0.0 < self.coarse_step <= 1.0:
            refuse("coarse_step", "a number above 0 and at most 1", self.coarse_step)
        if not 0.0 <= self.damping_beta <= 16.0:
            refuse("damping_beta", "a number from 0 to 16", self.damping_beta)
        if any(a >= b for a, b in zip((0, *self.prefixes), self.prefixes, strict=False)):
            refuse("prefixes", "lengths of at least 1 in ascending order", list(self.prefixes))
        try:
            re.compile(self.remove)
        except re.error as error:
            msg = f"remove: expected a regular expression, found {self.remove!r} ({error})"
            raise RecipeError(msg) from error

    def _check_agreement(self) -> None:
        given = [self.vocabulary is not None, bool(self.vocabulary_from)]
        if self.mode == "output" and any(given):
            msg = (
                'mode="output" takes no vocabulary= and no vocabulary_from=; '
                'mode="word" or mode="subword" does'
            )
            raise RecipeError(msg)
        if self.mode != "output" and sum(given) != 1:
            found = "both" if any(given) else "neither"
            msg = f'mode="{self.mode}" needs vocabulary= or vocabulary_from=, found {found}'
            raise RecipeError(msg)
        if self.vocabulary_from and self.vocabulary_size is None:
            msg = "vocabulary_size: expected how many words to take from the text, found nothing"
            raise RecipeError(msg)
        if (
            self.vocabulary_size is not None or self.vocabulary_phrases
        ) and not self.vocabulary_from:
            msg = "vocabulary_from: expected the text to count the vocabulary from, found nothing"
            raise RecipeError(msg)
        if (self.weighting == "counts") != bool(self.counts_from):
            msg = 'counts_from: give text files exactly with weighting="counts"'
            raise RecipeError(msg)
        places = [spec.partition("::")[0] for spec in self.fit]
        if self.text and set(places) != {GENERATED}:
            msg = (
                f"text: comes on top of generated sequences, found fit= {' '.join(self.fit)}; "
                "to fit to text alone, give it to fit="
            )
            raise RecipeError(msg)
        if GENERATED in (spec.partition("::")[0] for spec in self.text):
            refuse("text", "text of yours, as generated sequences are there", list(self.text))
        if not self.fitted and (self.limit, self.teacher_budget) != (None, None):
            name = "teacher_budget" if self.limit is None else "limit"
            msg = f'{name}: there is no text to limit, because of fit="none"'
            raise RecipeError(msg)
        for name, neutral in (("length_power", 1.0), ("whiten", 0.0)):
            value = getattr(self, name)
            if not self.fitted and value not in (None, neutral):
                msg = f'{name}: only a fitted table is shaped, found {value:g} and fit="none"'
                raise RecipeError(msg)
        if self.fitted and (self.vectors_from, self.teacher_pooling) != ("output", "teacher"):
            msg = (
                "fit: a table is fitted around vectors of the teacher's own kind, which takes "
                'vectors_from="output" and teacher_pooling="teacher", found '
                f"{self.vectors_from} and {self.teacher_pooling}; those make the classical table: "
                'fit="none"'
            )
            raise RecipeError(msg)
        if self.clip and self.dtype != "int8":
            msg = f'clip: only an int8 table is clipped, found dtype="{self.dtype}"'
            raise RecipeError(msg)
        if self.coarse_step is not None and (self.clip or self.dtype != "int8"):
            found = "clip=" if self.clip else f'dtype="{self.dtype}"'
            msg = f"coarse_step: only an int8 table without clip= has one step, found {found}"
            raise RecipeError(msg)

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """As for all recipes; `text` only where there is any.

        So a recipe of before there was `text` makes the same bytes as then.
        """
        values = super().to_dict(defaults=defaults)
        return values if self.text else {k: v for k, v in values.items() if k != "text"}

    @property
    def fitted(self) -> bool:
        """Whether the table is fitted to texts."""
        return self.fit != ("none",)

    def resolved(self) -> Recipe:
        """The same recipe with a value for the knobs whose default depends on others.

        How rows are shaped after a fit to `text` depends on how much there is: `shape.settled`.
        """
        text = self.fitted and any(spec.partition("::")[0] != GENERATED for spec in self.fit)
        textless = self.fitted and not text
        coefficient, power, whiten = self.sif_coefficient, self.length_power, self.whiten
        if not self.text:
            shape = GENERATED_SHAPE if textless else TEXT_SHAPE
            power = shape[0] if power is None else power
            whiten = shape[1] if whiten is None else whiten
        return replace(
            self,
            sif_coefficient=(1e-3 if text else 1e-4) if coefficient is None else coefficient,
            length_power=power,
            whiten=whiten,
            pooling=self.pooling or ("damped_mean" if self.fitted else "mean"),
        )
