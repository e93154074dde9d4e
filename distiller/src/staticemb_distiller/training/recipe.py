"""The recipe of a training: every knob, stored in the trained file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import RecipeError
from ..recipe.knobs import Knobs, knob, refuse
from ..recipe.shape import check_shape


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe(Knobs):
    """The knobs of a training on examples. The defaults suit a start from a fitted file.

    Raises:
        RecipeError: A value has the wrong type, is out of range, or contradicts another value.

    Example:
        >>> print(TrainingRecipe(pairs=["pairs.tsv"], epochs=1).to_toml(defaults=False))
        pairs = ["pairs.tsv"]
        epochs = 1
    """

    # The examples
    pairs: tuple[str, ...] = knob(
        (),
        "examples, each a file or hf:ID, optionally followed by ::KEY=VALUE,... with the keys kind "
        "(pairs, triplets, scored or labeled); anchor, positive, negative, score, label and text "
        "(names of columns); range, header, weight, limit, split, config and revision",
        is_input=True,
    )
    limit: int | None = knob(None, "the most examples to take from each source")
    held_out: int | float | None = knob(
        None,
        "examples to validate on, from all sources together: a number, or a share below 1; 0: none "
        "(default: 0.05, or 0 if that is fewer than 100 examples, because so few validate badly)",
    )

    # The start
    start: Literal["model", "random"] = knob(
        "model",
        "rows to start from. model: the model's own, or the teacher's classical table; random: "
        "random rows",
    )
    dims: int | None = knob(
        None,
        "number of dimensions; if MODEL has fewer, random columns are added (default: MODEL's "
        "number; 256 for a teacher)",
    )
    pooling: Literal["mean", "damped_mean"] | None = knob(
        None, "how the rows of a text's tokens become one vector (default: as in MODEL)"
    )
    damping_beta: float | None = knob(
        None, "damped_mean: strength of the damping, from 0 to 16 (default: 1)"
    )
    damping_dims: int | None = knob(
        None, "damped_mean: number of leading dimensions that the damping compares (default: 64)"
    )

    # All rows alike, before the first step
    length_power: float = knob(
        1.0,
        "exponent for the lengths of rows; above 1, rare tokens count more; 1.5 suits retrieval",
    )
    whiten: float = knob(
        0.0,
        "strength of whitening by the examples' texts; 0: none; 0.5: all directions become equal; "
        "0.1 suits retrieval",
    )

    # What is lowered
    temperature: float = knob(0.05, "divisor of the cosines in contrastive losses")
    prefixes: tuple[int, ...] = knob(
        (),
        "Matryoshka: vector lengths to train; the file recommends them (default: as in MODEL)",
    )
    prefix_weights: tuple[float, ...] = knob(
        (), "weight of each prefix in the loss (default: all equal)"
    )
    teacher: str | None = knob(
        None,
        "a Sentence Transformer; the loss then also compares the cosines in a batch with those of "
        "the teacher",
        is_input=True,
    )
    teacher_revision: str | None = knob(None, "the teacher's revision on the Hub")
    teacher_weight: float = knob(1.0, "weight of the comparison with the teacher in the loss")
    mine: int = knob(
        0, "rounds of mining hard negatives; after each round, the epochs run again with them"
    )
    mine_negatives: int = knob(1, "hard negatives to mine for each anchor")
    mine_margin: float = knob(
        0.95,
        "the highest cosine of a hard negative, as a share of the positive's cosine; texts above "
        "it may be correct answers",
    )

    # How
    epochs: int = knob(3, "passes over the examples in each round")
    batch_size: int | None = knob(
        None, "examples per step, over all processes (default: 1024, or fewer for few examples)"
    )
    learning_rate: float = knob(
        0.1,
        "approximate size of an element's step, as a share of its row's root mean square at the "
        "start",
    )
    warmup: float = knob(0.1, "share of the steps during which the learning rate rises")
    pull: float = knob(
        0.0, "share of the distance to its start that a row moves back at each of its steps"
    )
    patience: int | None = knob(
        None, "stop after this number of validations without an improvement (default: never)"
    )
    validations: int = knob(1, "validations in each epoch; the last one is at its end")

    # What must not be lost
    general_agreement: float | None = knob(
        None,
        "the least rank correlation, before and after, of the cosines of general texts (sequences "
        "of the vocabulary's words); a table with less is mixed with the start; 0: never (default: "
        "0.99 for a start that was fitted or trained, else 0)",
    )

    # The file
    rotate: bool | None = knob(
        None,
        "rotate the table so that the leading dimensions hold most of the variance of the texts of "
        "the examples (default: only a start that was not fitted or trained, or that gets more "
        "dimensions; another start has such axes, and damping depends on them)",
    )
    dtype: Literal["float32", "float16", "int8"] = knob("int8", "number type of the table")

    seed: int = knob(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts()
        if not self.pairs:
            refuse("pairs", "at least one file of examples", [])
        if self.held_out is not None and self.held_out < 0:
            refuse("held_out", "a share below 1 or a number of examples", self.held_out)
        for name in ("temperature", "learning_rate"):
            if not getattr(self, name) > 0.0:
                refuse(name, "a number above 0", getattr(self, name))
        for name in ("pull", "warmup", "general_agreement"):
            if not 0.0 <= (getattr(self, name) or 0.0) <= 1.0:
                refuse(name, "a share from 0 to 1", getattr(self, name))
        if not 0.0 < self.mine_margin <= 1.0:
            refuse("mine_margin", "a share above 0 and at most 1", self.mine_margin)
        check_shape(self.length_power, self.whiten)
        if self.damping_beta is not None and not 0.0 <= self.damping_beta <= 16.0:
            refuse("damping_beta", "a number from 0 to 16", self.damping_beta)
        if any(a >= b for a, b in zip((0, *self.prefixes), self.prefixes, strict=False)):
            refuse("prefixes", "lengths of at least 1 in ascending order", list(self.prefixes))
        if self.teacher_weight < 0.0:
            refuse("teacher_weight", "a number of at least 0", self.teacher_weight)
        if any(weight < 0.0 for weight in self.prefix_weights):
            refuse("prefix_weights", "numbers of at least 0", list(self.prefix_weights))
        if self.prefix_weights and not sum(self.prefix_weights) > 0.0:
            refuse("prefix_weights", "at least one number above 0", list(self.prefix_weights))
        self._check_agreement()

    def _check_counts(self) -> None:
        least = {"mine": 0, "batch_size": 2}
        counts = ("limit", "dims", "damping_dims", "mine_negatives", "epochs", "patience")
        for name in (*counts, "validations", *least):
            value = getattr(self, name)
            if value is not None and value < least.get(name, 1):
                refuse(name, f"a number of at least {least.get(name, 1)}", value)
        if not 0 <= self.seed < 2**32:
            refuse("seed", "a number from 0 to 2^32 - 1", self.seed)

    def _check_agreement(self) -> None:
        if self.prefix_weights and len(self.prefix_weights) != len(self.prefixes):
            msg = (
                f"prefix_weights: expected {len(self.prefixes)} weights, one for each prefix, "
                f"found {len(self.prefix_weights)}"
            )
            raise RecipeError(msg)
        if self.patience is not None and self.held_out == 0:
            msg = "patience: expected held_out= above 0 to validate on, found 0"
            raise RecipeError(msg)
        if self.teacher_revision is not None and self.teacher is None:
            msg = "teacher_revision: expected teacher= with it, found none"
            raise RecipeError(msg)
