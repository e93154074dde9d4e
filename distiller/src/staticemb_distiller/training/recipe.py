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
        "examples, each a file or hf:ID, with ::KEY=VALUE,... after it: kind (pairs, triplets, "
        "scored, labeled), anchor, positive, negative, score, label, text (names of columns), "
        "range, header, weight, limit, split, config, revision",
        is_input=True,
    )
    limit: int | None = knob(None, "the most examples to take from each source")
    held_out: int | float | None = knob(
        None,
        "examples to validate on, of all sources together: a share below 1, or a number; 0: none "
        "(default: 0.05, or none where that makes fewer than 100, which tell tables apart badly)",
    )

    # The start
    start: Literal["model", "random"] = knob(
        "model", "model: the model's own rows, or the teacher's classical table; random: random"
    )
    dims: int | None = knob(
        None,
        "dimensions; more than MODEL has: columns drawn at random are added to its own (default: "
        "as MODEL has, or 256)",
    )
    pooling: Literal["mean", "damped_mean"] | None = knob(
        None, "how a text's rows become one vector (default: as the start does it)"
    )
    damping_beta: float | None = knob(None, "damped_mean: strength, 0 to 16 (default: 1)")
    damping_dims: int | None = knob(
        None, "damped_mean: leading dimensions that it compares (default: 64)"
    )

    # All rows alike, before the first step
    length_power: float = knob(
        1.0,
        "raise the lengths of rows to it: above 1, rare tokens count more (1.5 suits retrieval)",
    )
    whiten: float = knob(
        0.0,
        "even out the directions that texts use: 0 leaves them, 0.5 makes them equal (0.1 suits "
        "retrieval)",
    )

    # What is lowered
    temperature: float = knob(0.05, "divides cosines where texts are contrasted")
    prefixes: tuple[int, ...] = knob(
        (), "Matryoshka: lengths to train and to recommend in the file (default: as the start's)"
    )
    prefix_weights: tuple[float, ...] = knob((), "what each prefix counts (default: all the same)")
    teacher: str | None = knob(
        None,
        "a Sentence Transformer whose cosines between the texts of a batch to match, too",
        is_input=True,
    )
    teacher_revision: str | None = knob(None, "that teacher's revision on the Hub")
    teacher_weight: float = knob(1.0, "what agreement with the teacher counts")
    mine: int = knob(
        0, "rounds of hard negatives: after each the epochs are run again with negatives it found"
    )
    mine_negatives: int = knob(1, "negatives to find for each anchor")
    mine_margin: float = knob(
        0.95, "a negative's cosine is at most this share of the positive's: others may be answers"
    )

    # How
    epochs: int = knob(3, "how often the examples are gone through, in each round")
    batch_size: int | None = knob(
        None, "examples in a step, of all processes together (default: 1024, or fewer if few)"
    )
    learning_rate: float = knob(
        0.1, "about the step of an element, over the root mean square of its row at the start"
    )
    warmup: float = knob(0.1, "share of the steps in which the learning rate rises")
    pull: float = knob(
        0.0, "share of its way back to the start that a row goes whenever it is trained"
    )
    patience: int | None = knob(
        None, "stop after so many validations without a better one (default: run to the end)"
    )
    validations: int = knob(1, "how often an epoch is interrupted to validate, its end included")

    # The file
    rotate: bool = knob(True, "turn the table so that leading dimensions hold most of its texts")
    dtype: Literal["float32", "float16", "int8"] = knob("int8", "number format of the table")

    seed: int = knob(0, "for every step that draws random numbers")

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
        for name in ("pull", "warmup"):
            if not 0.0 <= getattr(self, name) <= 1.0:
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
                f"prefix_weights: expected one for each of {len(self.prefixes)} prefixes, "
                f"found {len(self.prefix_weights)}"
            )
            raise RecipeError(msg)
        if self.patience is not None and self.held_out == 0:
            msg = "patience: expected held_out= above 0 to validate on, found 0"
            raise RecipeError(msg)
        if self.teacher_revision is not None and self.teacher is None:
            msg = "teacher_revision: expected teacher= with it, found none"
            raise RecipeError(msg)
