"""The errors that somebody would catch. Each message says what was read, expected and found.

Every class but `RecipeWarning` is a `DistillerError`; commands print one as a single line.
"""


class DistillerError(Exception):
    """The root of all errors that this package raises on purpose."""


class RecipeError(DistillerError):
    """A knob is unknown, of the wrong type, out of range, or contradicts another."""


class RecipeWarning(UserWarning):
    """A recipe has a knob that has no effect any more."""


class TextSourceError(DistillerError):
    """A file, folder or data set cannot be read, or has no such column, or holds no text."""


class MissingPackageError(DistillerError, ImportError):
    """An optional package is not installed."""


class VocabularyError(DistillerError):
    """A vocabulary is empty or invalid, or cannot be made from the teacher's tokenizer."""


class TeacherError(DistillerError):
    """The teacher cannot be loaded, has no safe weights, or cannot encode its input."""


class TeacherNotFoundError(TeacherError):
    """There is no such teacher or revision, or the Hub does not hand it out."""


class HubUnavailableError(TeacherError):
    """The Hub cannot be reached, and the teacher is not in the local cache."""


class UntrustedCodeError(TeacherError):
    """The teacher comes with Python code, and the call did not allow it to run."""


class CacheError(DistillerError):
    """A cache or checkpoint is damaged, belongs to another run, or cannot be written."""


class TableError(DistillerError):
    """A table cannot be computed, rotated, weighted or rounded as asked."""


class DivergedError(DistillerError, ArithmeticError):
    """A fit or a training gave infinities or NaN."""


class OutputError(DistillerError):
    """An output cannot be written, or is invalid. What was there before is unchanged."""


class ConvertError(DistillerError):
    """Another library cannot do what a model does, or gives other vectors."""


class CollectionError(DistillerError):
    """A collection cannot be adapted to or indexed: its documents, vectors and model do not fit."""


class TrainingError(DistillerError):
    """A training, or the fit of a head, cannot start: its examples or options are invalid."""


class EvaluationError(DistillerError):
    """Data, tasks or models cannot be evaluated, or a report cannot be read."""


class PublishError(DistillerError):
    """A model cannot be uploaded, or a wheel cannot have that name or version."""
