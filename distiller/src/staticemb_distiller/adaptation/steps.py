"""The steps of an adaptation after reading: center, compare spaces, choose, solve, write."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import vstack

from ..file.space import probe_vectors
from ..fitting.centering import center, common_direction, mean_vector
from ..fitting.ridge_fit import count_matrix
from ..table.mixing import mixed
from ..table.space import Space
from ..teacher.reporting import with_tokens
from ..vocabulary.token_ids import TokenIds
from .adapted_file import Adapted, Dtype, axes_of, write_adapted
from .choosing import (
    BETAS,
    DAMPING_DIMS,
    REGULARIZATIONS,
    SHARES,
    Choice,
    Chosen,
    choose,
)
from .cost import SimilarityPairs, changed_neighbors, similarity
from .held_out import FEWEST, HeldOutQueries
from .prior import Base, closeness, same_space
from .report import Report
from .solving import FitInput
from .teacher_queries import ENOUGH_DOCUMENTS, QueryRows, generated_queries, query_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..progress import Progress
    from .collection import Collection
    from .streams import Source

_TRIAL = 20_000  # the most documents of a trial's fit
_MEASURED = 2_000  # documents that tell whether the model's rows fit the vectors' space


class Adaptation:
    """The steps after reading, in their order: center, compare spaces, choose, solve, write."""

    def __init__(
        self,
        source: Source,
        base: Base,
        collection: Collection,
        both_sides: bool,
        seed: int,
        progress: Progress,
    ) -> None:
        self._source, self._base, self._collection = source, base, collection
        self._both_sides, self._progress = both_sides, progress
        self._documents = documents = collection.documents
        self._tokenize = TokenIds(base.tokenizer, base.unknown_token_id, base.max_tokens)
        # Before centering: the teacher ranks by its own vectors.
        self._held_out = HeldOutQueries(
            collection,
            None if source.encode_queries is None else partial(self._as_queries, unit="queries"),
            self._tokenize,
            both_sides=both_sides,
            seed=seed,
        )
        self._offset = self._center()
        self._prior, self._prior_reason = self._fitting_prior()
        self._queries = self._query_rows()
        used = documents.used_tokens()
        self._used = used if self._queries is None else np.union1d(used, self._queries.ids)
        self._choice: Choice | None = None
        self._knobs = Chosen()

    def _center(self) -> NDArray[np.float32] | None:
        """Center the vectors by the model's offset, or by their mean where it is long."""
        space, vectors = self._base.space, self._documents.vectors
        if space is not None and space.offset is not None and len(space.offset) == self._dim:
            offset: NDArray[np.float32] | None = space.offset
        else:
            offset = common_direction(vectors)
        if offset is not None:
            center(vectors, offset)
        return offset

    def _as_queries(self, texts: Sequence[str], unit: str) -> NDArray[np.float16]:
        """Let the teacher encode texts as queries, and show the progress."""
        encode = self._source.encode_queries
        assert encode is not None
        with self._progress.track("Query vectors", len(texts), unit) as advance:
            return encode(texts, with_tokens(advance, self._source.teacher, self._progress))

    def _query_rows(self) -> QueryRows | None:
        """Let a teacher that encodes queries differently encode spans and generated sequences."""
        if not self._source.has_query_kind:
            return None
        spans = self._collection.spans
        generated: list[str] = []
        if self._prior is None and len(self._documents) < ENOUGH_DOCUMENTS:
            generated = generated_queries(self._base.tokenizer)
        return query_rows(
            *self._tokenize([*spans, *generated]),
            self._as_queries(spans, "spans"),
            self._as_queries(generated, "generated sequences"),
            held_out=self._collection.spans_apart,
            mean=mean_vector(self._documents.vectors),
            documents=len(self._documents),
        )

    @property
    def _dim(self) -> int:
        return self._source.dim

    def _fitting_prior(self) -> tuple[NDArray[np.float32] | None, str]:
        """Return the model's rows (V, H) if they fit the vectors, or else why they do not."""
        base = self._base
        if base.rows is None:
            return None, "there is no model"
        if base.space is None:
            return None, "the model does not say how its rows relate to its teacher's vectors"
        dimensions = len(base.space.projection)
        if dimensions != self._dim:
            return (
                None,
                f"its teacher's vectors have {dimensions} dimensions, these have {self._dim}",
            )
        prior = base.prior()
        assert prior is not None
        rows = np.flatnonzero(self._documents.whole_lengths > 0)
        rows = rows[np.linspace(0, len(rows) - 1, min(_MEASURED, len(rows))).astype(np.int64)]
        close = closeness(
            prior, *self._documents.whole_texts(rows), np.asarray(self._documents.vectors[rows])
        )
        if not same_space(close):
            return None, (
                "its rows do not fit the vectors: a document is closer to its own vector than to "
                f"another by {close:.2f} only"
            )
        return prior, ""

    def choose(self, regularization: float | None, beta: float | None, share: float | None) -> None:
        """Choose the knobs that are not given."""
        if self._prior is None:
            self._progress.note(f"Prior: zero, since {self._prior_reason}")
            share = 1.0
        given = Chosen(
            *(
                default if value is None else value
                for value, default in zip(
                    (regularization, beta, share), (0.01, self._base.beta, 1.0), strict=True
                )
            )
        )
        self._knobs = given
        if len(self._held_out) < FEWEST:
            self._progress.note("Too few documents to choose by; the defaults are used")
            return
        train = np.flatnonzero(~self._collection.apart & (self._documents.whole_lengths > 0))
        train = train[np.linspace(0, len(train) - 1, min(_TRIAL, len(train))).astype(np.int64)]
        self._progress.status("Choosing by held-out documents")
        self._choice = choose(
            self._material(train),
            self._held_out.for_table(self._used),
            regularizations=REGULARIZATIONS if regularization is None else (regularization,),
            betas=BETAS if beta is None else (beta,),
            shares=SHARES if share is None else (share,),
            prior_beta=self._base.beta,
        )
        self._knobs = self._choice.knobs

    def _material(self, rows: NDArray[np.int64] | None) -> FitInput:
        documents, used = self._documents, self._used
        prior = np.zeros((len(used), self._dim), np.float32)
        if self._prior is not None:
            prior = self._prior[used]
        counts, queries = documents.counts(used, rows), self._queries
        if queries is None:
            targets = documents.vectors if rows is None else documents.vectors[rows]
            return FitInput.of(counts, targets, prior)
        if rows is not None:
            queries = queries.trained()
        places = np.searchsorted(used, queries.ids).astype(np.int32)
        return FitInput.of(
            vstack([counts, count_matrix(places, queries.lengths, len(used))], "csr"),
            documents.targets(rows, queries.targets),
            prior,
            queries.weights,
        )

    def _solved(self) -> NDArray[np.float32]:
        """Solve with all documents; return all rows (V, H) in the teacher's centered space."""
        material = self._material(None)
        self._progress.status("Solving")
        rows = material.solve(
            self._knobs.regularization,
            progress=lambda step: self._progress.status(f"Solving: round {step.round + 1}"),
        )
        table = np.zeros((self._base.tokens, self._dim), np.float32)
        if self._prior is not None:
            table[:] = self._prior * np.float32(material.scale)
        table[self._used] = mixed(material.prior, rows, self._knobs.share)
        if self._base.unknown_token_id is not None:
            table[self._base.unknown_token_id] = 0
        return table

    def write(
        self, path: Path, dtype: Dtype, name: str | None, pairs: SimilarityPairs | None
    ) -> Report:
        """Solve, measure, and write the file."""
        table = self._solved()
        base, knobs, choice, queries = self._base, self._knobs, self._choice, self._queries
        rotation = axes_of(self._documents.vectors)
        space, facts = self._space(name, rotation.axes.astype(np.float32))
        rotated = rotation.apply(table)
        before = None if base.rows is None or self._prior is None else base.rows
        report = Report(
            path,
            len(self._documents),
            len(self._used),
            "zero" if self._prior is None else "model",
            self._prior_reason,
            self._offset is not None,
            0 if queries is None else queries.spans,
            0 if queries is None else len(queries.lengths) - queries.spans,
            knobs.regularization,
            knobs.beta,
            knobs.share,
            0 if choice is None else len(self._held_out),
            None if choice is None else choice.before,
            None if choice is None else choice.after,
            None
            if before is None
            else changed_neighbors(
                before, rotated, (base.beta, knobs.beta), base.tokenizer, self._tokenize
            ),
            None
            if before is None or pairs is None
            else similarity(before, base.beta, pairs, self._tokenize),
            None if pairs is None else similarity(rotated, knobs.beta, pairs, self._tokenize),
        )
        damping = (knobs.beta, min(DAMPING_DIMS, self._dim)) if knobs.beta else None
        adapted = Adapted(
            rotated,
            rotation.variances,
            space,
            base.tokenizer,
            base.unknown_token_id,
            base.max_tokens,
            damping,
        )
        write_adapted(path, adapted, dtype, {**base.provenance, **facts, **report.facts()})
        return report

    def _space(
        self, name: str | None, projection: NDArray[np.float32]
    ) -> tuple[Space, dict[str, str]]:
        """Return the relation to the teacher's vectors, and the metadata about the teacher."""
        teacher, known = self._source.teacher, None
        if self._prior is not None:
            known = self._base.space
        probes, revision, facts = None, "", {}
        if teacher is not None:
            facts = dict(teacher.provenance)
            name, revision = name or teacher.name, teacher.revision
            probes = probe_vectors(teacher, self._source.cache)
        elif known is not None:
            name, revision, probes = name or known.teacher, known.revision, known.probes
        name = name or f"vectors of {Path(self._source.place).name}"
        facts = {"teacher": name, "teacher_revision": revision, **facts}
        documents: Literal["table", "teacher"] = "table" if self._both_sides else "teacher"
        return Space(name, revision, projection, self._offset, probes, documents), facts
