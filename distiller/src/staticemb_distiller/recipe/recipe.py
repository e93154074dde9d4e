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
from .shape import PRESET_KNOBS, PRESETS, with_shape

UNUSED = r"\[unused\d+\]"
"""A pattern of the tokens that BERT reserves, such as `[unused1]`."""
_NEWER = ("text", "fit_language", "kernel_dims")


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

    # The purpose
    purpose: Literal["similarity", "search"] | None = knob(
        None,
        "what the table is for, which sets the defaults of length_power=, whiten= and "
        "damping_beta=. similarity: texts of one kind, such as sentences, are compared; search: "
        "queries find documents (default: both alike)",
    )

    # The teacher
    revision: str | None = knob(None, "the teacher's revision on the Hub: a commit, branch or tag")
    teacher_dtype: Literal["auto", "float32", "float16", "bfloat16"] = knob(
        "auto", "number type in which the teacher computes"
    )

    # The vocabulary
    tokenizer: str | None = knob(
        None,
        "tokenizer of a teacher that has none, or in place of its own: a tokenizer.json, a folder "
        "with one, a Hub id, or train:wordpiece or train:unigram, which train one on the text of "
        "the fit, optionally with :SIZE, the number of tokens (default: the teacher's own; "
        "train:wordpiece for given vectors)",
        is_input=True,
    )
    mode: Literal["output", "word", "subword"] = knob(
        "output",
        "the tokens of the table. output: the teacher's own subwords; word: only the given "
        "vocabulary; subword: the teacher's subwords and the given vocabulary",
    )
    vocabulary: str | None = knob(
        None, "file with the given vocabulary, one entry per line", is_input=True
    )
    vocabulary_from: tuple[str, ...] = knob(
        (), "text files; their most frequent words are the given vocabulary", is_input=True
    )
    vocabulary_size: int | None = knob(
        None,
        'number of words to take from vocabulary_from=; mode="subword" takes only words that the '
        "tokenizer splits",
    )
    vocabulary_phrases: bool = knob(False, "take phrases of two words as well")
    remove: str = knob(
        UNUSED,
        "regular expression; tokens that begin with a match are removed; empty: none is removed",
    )
    keep_used_in: tuple[str, ...] = knob(
        (),
        "text files; tokens that occur in them fewer than keep_min_count= times are removed",
        is_input=True,
    )
    keep_min_count: int = knob(1, "the fewest occurrences in keep_used_in= of a token that is kept")

    # Token vectors
    vectors_from: Literal["output", "input"] = knob(
        "output",
        "how a token gets its vector. output: by a forward pass; input: from the teacher's input "
        "embeddings",
    )
    teacher_pooling: Literal["teacher", "mean", "first", "last", "pooler"] = knob(
        "teacher",
        "how the result of a token's forward pass becomes one vector; teacher: by all of the "
        "teacher's modules",
    )
    prior: Literal["tokens", "zero"] | None = knob(
        None,
        "the table that the fit starts from. tokens: the teacher's vectors of single tokens; zero: "
        "none, so that tokens that are in no text get no row (default: tokens; zero for given "
        "vectors)",
    )

    # The fit
    fit: tuple[str, ...] = knob(
        ("generated",),
        "texts to fit the table to: generated (random sequences of the vocabulary's words), or "
        "sources of text. A source is a file, a folder or hf:ID, optionally followed by "
        "::KEY=VALUE,... with the keys column, weight, limit, split, config and revision. With "
        "::translate=words the source's sentences, in the first language of fit_language=, are "
        "translated word by word into the others, by the teacher's vectors of words. none: no fit, "
        "the classical table",
        is_input=True,
    )
    text: tuple[str, ...] = knob(
        (),
        "sources of text to fit to in addition to generated sequences, written as in fit=; sources "
        "in fit= itself replace the generated sequences",
        is_input=True,
    )
    limit: int | None = knob(
        None, "the most texts to take from each source in text=, or in fit= if text= is empty"
    )
    teacher_budget: int | str | None = knob(
        None,
        "how much the teacher encodes for the fit: a number of texts, or a time such as 90s, 10m "
        "or 2h. Texts that cover the most tokens come first. With a time, the result depends on "
        "the machine",
    )
    fit_language: tuple[str, ...] = knob(
        (),
        "codes of languages, such as en de ja: generated sequences come from their word lists "
        "(package wordfreq), in equal shares, and text is split into sentences by the rules of the "
        "first (default: words of the vocabulary, and the rules of English)",
    )
    fit_regularization: float | None = knob(
        None,
        "how strongly the fit stays near the table that it starts from; above 0 (default: 0.1; "
        'with prior="zero" 0.003)',
    )
    fit_rounds: int = knob(
        2, "number of rounds; each sets up the equations of the fit and solves them"
    )
    fit_iterations: int = knob(15, "the most iterations of the solver in each round")
    fit_tolerance: float = knob(0.02, "relative residual at which the solver stops in each round")

    # The shape of fitted rows
    length_power: float | None = knob(
        None,
        "exponent for the lengths of fitted rows; above 1, rare tokens count more (default: by "
        "purpose= and the share of text)",
    )
    whiten: float | None = knob(
        None,
        "strength of whitening by the fit's texts; 0: none; 0.5: all directions become equal "
        "(default: by purpose= and the share of text)",
    )

    # Rotation
    dims: int | float | Literal["all", "none"] = knob(
        256,
        "principal components to keep: a number, or the share of variance to keep, such as 0.95; "
        "all: rotation only; none: no rotation",
    )
    kernel_dims: int = knob(
        0,
        "number of dimensions to add, even, in which only nearly equal tokens match: vectors then "
        "find documents by their words as well. For vector search without BM25; 640 suits the "
        'default of dims=, and dims="all"',
    )
    prefixes: tuple[int, ...] = knob(
        (), "lengths that the file recommends to truncate vectors to; empty: powers of two from 32"
    )

    # Weights
    weighting: Literal["rank", "counts", "none"] = knob(
        "rank",
        "where the weights of tokens come from. rank: Zipf's law; counts: frequencies counted in "
        "counts_from=; none: all weights are equal",
    )
    sif_coefficient: float | None = knob(
        None,
        "a in the weight a / (a + p) of a token with probability p (default: 0.001 if fit= names "
        "text, else 0.0001)",
    )
    counts_from: tuple[str, ...] = knob(
        (), "text files to count token frequencies in", is_input=True
    )
    store_weights: bool = knob(
        False,
        "store the weights separately instead of multiplying the rows by them: more exact with "
        "int8, but slower",
    )

    # Storage
    dtype: Literal["float32", "float16", "int8"] = knob("float16", "number type of the table")
    clip: bool = knob(
        False, "int8: clip a column's largest elements if that lowers its squared error"
    )
    coarse_step: float | None = knob(
        None,
        "int8: one step size for all columns, as a multiple of the table's root mean square; a "
        "table with 0.3 compresses to half its size (default: the finest steps that int8 allows)",
    )
    clusters: int | None = knob(None, "merge the rows of similar tokens into this number of rows")

    # Runtime behavior
    pooling: Literal["mean", "damped_mean"] | None = knob(
        None,
        "how the rows of a text's tokens become one vector (default: damped_mean for a fitted "
        "table, else mean)",
    )
    damping_beta: float | None = knob(
        None, "damped_mean: strength of the damping, from 0 to 16 (default: by purpose=)"
    )
    damping_dims: int = knob(
        64, "damped_mean: number of leading dimensions that the damping compares"
    )
    normalize: bool = knob(True, "scale the vectors of texts to unit length")
    max_tokens: int | None = knob(None, "truncate texts to this number of tokens")

    seed: int = knob(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self)
        check_agreement(self)

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """Return the knobs as `Knobs.to_dict` does, but omit newer knobs if empty or 0.

        So a recipe that was written before these existed gives the same bytes as then.
        """
        values = super().to_dict(defaults=defaults)
        return {name: value for name, value in values.items() if value or name not in _NEWER}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, source: str = "recipe") -> Recipe:
        """Make a recipe as `Knobs.from_dict` does; an earlier recipe has one `fit_language`.

        It was a string, and chose the rules that end sentences.
        """
        language = values.get("fit_language")
        if isinstance(language, str):
            values = {**values, "fit_language": () if language == "en" else (language,)}
        return super().from_dict(values, source=source)

    @classmethod
    def overridden(cls, base: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a stored recipe with other values on top.

        A new purpose also takes the place of the knobs that the stored recipe's purpose had set.
        """
        if "purpose" in flags:
            base = {name: value for name, value in base.items() if name not in PRESET_KNOBS}
        return super().overridden(base, flags)

    @property
    def fitted(self) -> bool:
        """Whether the table is fitted to texts."""
        return self.fit != ("none",)

    def resolved(self) -> Recipe:
        """Return the recipe with values for the knobs whose default depends on other knobs.

        The row shape after a fit to `text` depends on the amount of text; `shape.settled` sets it.
        """
        text = self.fitted and any(spec.partition("::")[0] != GENERATED for spec in self.fit)
        regularization = self.fit_regularization
        if regularization is None:
            regularization = 0.003 if self.prior == "zero" else 0.1
        coefficient, beta = self.sif_coefficient, self.damping_beta
        resolved = replace(
            self,
            sif_coefficient=(1e-3 if text else 1e-4) if coefficient is None else coefficient,
            fit_regularization=regularization,
            damping_beta=PRESETS[self.purpose].damping_beta if beta is None else beta,
            pooling=self.pooling or ("damped_mean" if self.fitted else "mean"),
        )
        if not self.fitted:
            return replace(
                resolved,
                length_power=1.0 if self.length_power is None else self.length_power,
                whiten=0.0 if self.whiten is None else self.whiten,
            )
        return resolved if self.text else with_shape(resolved, float(text))
