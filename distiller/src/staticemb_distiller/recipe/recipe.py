"""The recipe of a distillation: a dataclass of all knobs, read and written as TOML.

A recipe and a teacher determine the content of the file. The recipe does not hold settings of the
run, such as the device, the checkpoint folder and progress bars. It also does not hold the user's
own decisions: whether a teacher's code runs, and where files are written. A recipe may come from a
stranger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from ..corpus.generated import GENERATED
from .checks import check_agreement, check_ranges
from .knobs import Knobs, knob
from .shape import GENERATED_SHAPE, TEXT_SHAPE

UNUSED = r"\[unused\d+\]"
"""A pattern of the tokens that BERT reserves, such as `[unused1]`."""


@dataclass(frozen=True, kw_only=True)
class Recipe(Knobs):
    """The settings for making a static model from a teacher. The defaults make a good model.

    Raises:
        RecipeError: A value has the wrong type, is out of range, or contradicts another value.

    Example:
        >>> print(Recipe(dims=128, dtype="int8").to_toml(defaults=False))
        dims = 128
        dtype = "int8"
    """

    RETIRED: ClassVar[dict[str, str]] = {
        "trust_remote_code": "a recipe cannot allow a teacher's code to run; pass "
        "--trust-remote-code (trust_remote_code=True) instead"
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
    vocabulary: str | None = knob(
        None, "file with the vocabulary, one entry per line", is_input=True
    )
    vocabulary_from: tuple[str, ...] = knob(
        (), "text files to count a vocabulary from", is_input=True
    )
    vocabulary_size: int | None = knob(
        None, "how many words to take from the text; subword: only words that the tokenizer splits"
    )
    vocabulary_phrases: bool = knob(False, "count phrases of two words, too")
    remove: str = knob(
        UNUSED,
        "regular expression: tokens that begin with a match are removed; empty: removes no token",
    )
    keep_used_in: tuple[str, ...] = knob(
        (),
        "text files: tokens that occur in them fewer than keep_min_count times are removed",
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
        "what to fit the table to: generated (sequences of the vocabulary's words, without text) "
        "or text, each a file, a folder or hf:ID, optionally followed by ::KEY=VALUE,... for "
        "column, weight, limit, split, config, revision; none: the classical table",
        is_input=True,
    )
    text: tuple[str, ...] = knob(
        (),
        "your text in addition to generated sequences, in the form of fit; text in fit replaces "
        "generated sequences",
    )
    limit: int | None = knob(
        None, "the most texts to take from each source of text; without text, of fit"
    )
    teacher_budget: int | str | None = knob(
        None,
        "how much the teacher reads for the fit: a number of texts, or a time such as 90s, 10m or "
        "2h, with which the result depends on the machine; texts that cover most tokens come first",
    )
    fit_language: str = knob("en", "code of the language whose rules cut text into sentences")
    fit_regularization: float = knob(
        0.1, "how strongly the fit stays near the classical table, above 0"
    )
    fit_rounds: int = knob(2, "how often the fit's equations are set up and solved")
    fit_iterations: int = knob(15, "the most iterations of the solver in a round")
    fit_tolerance: float = knob(0.02, "relative residual at which the solver stops in a round")

    # The shape of fitted rows
    length_power: float | None = knob(
        None,
        "exponent of the lengths of fitted rows: above 1, rare tokens count more (default: 1.5 "
        "for a table fitted to generated sequences only, less with added text, 1 for other tables)",
    )
    whiten: float | None = knob(
        None,
        "strength of whitening by the fit's texts: 0 for none, 0.5 makes all directions equal "
        "(default: 0.1 for a table fitted to generated sequences only, less with added text, 0 for "
        "other tables)",
    )

    # Rotation
    dims: int | float | Literal["all", "none"] = knob(
        256,
        "principal components to keep: a number, the share of variance to keep (0.95), "
        "all (rotation only), or none (no rotation)",
    )
    prefixes: tuple[int, ...] = knob(
        (), "prefix lengths to recommend in the file; empty: powers of two from 32"
    )

    # Weights
    weighting: Literal["rank", "counts", "none"] = knob(
        "rank",
        "rank: Zipf's law; counts: frequencies counted in the text of counts_from; "
        "none: all tokens weigh the same",
    )
    sif_coefficient: float | None = knob(
        None,
        "a in the weight a / (a + p) of a token of probability p (default: 0.001 if fit names "
        "text, else 0.0001)",
    )
    counts_from: tuple[str, ...] = knob(
        (), "text files to count token frequencies in", is_input=True
    )
    store_weights: bool = knob(
        False,
        "store the weights separately, not multiplied into the rows: more exact with int8, slower",
    )

    # Storage
    dtype: Literal["float32", "float16", "int8"] = knob("float16", "number format of the table")
    clip: bool = knob(
        False, "int8: clip a column's largest elements if that lowers its squared error"
    )
    coarse_step: float | None = knob(
        None,
        "int8: one step for all columns, in root mean squares of the table; with 0.3 the table "
        "compresses to half its size (default: as fine as int8 allows)",
    )
    clusters: int | None = knob(None, "merge the rows of similar tokens to this number of rows")

    # Runtime behavior
    pooling: Literal["mean", "damped_mean"] | None = knob(
        None,
        "how a text's rows become one vector (default: damped_mean for a fitted table, else mean)",
    )
    damping_beta: float = knob(1.0, "damped_mean: strength, 0 to 16")
    damping_dims: int = knob(64, "damped_mean: the number of leading dimensions that it compares")
    normalize: bool = knob(True, "scale the vectors of texts to unit length")
    max_tokens: int | None = knob(None, "cut texts to this many tokens")

    seed: int = knob(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self)
        check_agreement(self)

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """Return the knobs as `Knobs.to_dict` does, but omit an empty `text`.

        So a recipe that was written before `text` existed gives the same bytes as then.
        """
        values = super().to_dict(defaults=defaults)
        return values if self.text else {k: v for k, v in values.items() if k != "text"}

    @property
    def fitted(self) -> bool:
        """Whether the table is fitted to texts."""
        return self.fit != ("none",)

    def resolved(self) -> Recipe:
        """Return the recipe with values for the knobs whose default depends on other knobs.

        The row shape after a fit to `text` depends on the amount of text; `shape.settled` sets it.
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
