"""The report of an adaptation: what was chosen, and how well the result agrees with the teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Report:
    """The result of an adaptation.

    It says how well rankings agree with the teacher's. It does not predict how good they are.

    Attributes:
        path: The file.
        documents: The number of documents.
        tokens: The number of the vocabulary's tokens that occur in them.
        prior: The prior: "model" or "zero".
        prior_reason: Why the prior is zero; "" otherwise.
        centered: Whether the mean of the vectors is subtracted from vectors.
        spans: How many spans of documents the teacher encoded as queries for the fit; 0: it encodes
            queries as documents, or there is no teacher.
        generated: How many generated sequences it encoded as queries for the fit.
        regularization: λ of the fit.
        damping_beta: β of damped pooling; 0: the plain mean.
        share: The share of adapted rows in the mixture with the prior.
        pseudo_queries: The number of held-out pseudo-queries; 0: too few documents to choose by.
        overlap_before: The mean share of the teacher's ten best documents among the model's ten
            best, for the pseudo-queries; None without a prior.
        overlap_after: The same for an adaptation without the held-out documents; None without
            pseudo-queries.
        kept_neighbors: How many of ten neighbors of generated sentences are still the same as under
            the model, as a share; None without a prior.
        sts_before: Spearman's correlation on a file of pairs, under the model; None: no file or
            prior.
        sts_after: The same under the result.
    """

    path: Path
    documents: int
    tokens: int
    prior: str
    prior_reason: str = ""
    centered: bool = False
    spans: int = 0
    generated: int = 0
    regularization: float = 0.01
    damping_beta: float = 0.0
    share: float = 1.0
    pseudo_queries: int = 0
    overlap_before: float | None = None
    overlap_after: float | None = None
    kept_neighbors: float | None = None
    sts_before: float | None = None
    sts_after: float | None = None

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        pooling = f"damped mean, β {self.damping_beta:g}" if self.damping_beta else "plain mean"
        mixed = "" if self.share == 1 else f", {self.share:.0%} adapted rows and the rest general"
        lines = [
            f"Documents: {self.documents:,}, with {self.tokens:,} tokens of the vocabulary",
            f"Fit: λ {self.regularization:g}, {pooling}{mixed}"
            + (", centered" if self.centered else ""),
        ]
        if self.spans:
            generated = f" and {self.generated:,} generated sequences" if self.generated else ""
            lines.append(
                f"Encoded as queries for the fit: {self.spans:,} spans of documents{generated}"
            )
        if self.overlap_after is not None:
            before = "" if self.overlap_before is None else f"{self.overlap_before:.1%} before, "
            lines.append(
                f"Ten best as the teacher's, on {self.pseudo_queries} held-out pseudo-queries: "
                f"{before}{self.overlap_after:.1%} after"
            )
        else:
            lines.append("Agreement: not measured, since there are too few documents")
        if self.kept_neighbors is not None:
            lines.append(
                f"Elsewhere: {self.kept_neighbors:.1%} of ten neighbors of generated sentences are "
                "as before"
            )
        if self.sts_after is not None:
            before = "" if self.sts_before is None else f"{100 * self.sts_before:.1f} before, "
            lines.append(f"Elsewhere: similarity of pairs {before}{100 * self.sts_after:.1f} after")
        return lines

    def facts(self) -> dict[str, str]:
        """Return the report as metadata of the file."""
        numbers = {
            "documents": self.documents,
            "tokens": self.tokens,
            "spans": self.spans or None,
            "generated": self.generated or None,
            "regularization": self.regularization,
            "share": self.share,
            "pseudo-queries": self.pseudo_queries,
            "overlap-before": self.overlap_before,
            "overlap-after": self.overlap_after,
            "kept-neighbors": self.kept_neighbors,
        }
        facts = {
            f"x-adapt-{name}": f"{number:.4g}" if isinstance(number, float) else str(number)
            for name, number in numbers.items()
            if number is not None
        }
        return {**facts, "x-adapt-prior": self.prior}
