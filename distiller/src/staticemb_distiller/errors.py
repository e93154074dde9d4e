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
    """The teacher cannot be loaded, or cannot encode its input."""


class TeacherNotFoundError(TeacherError):
    """There is no such teacher or revision, or the Hub does not hand it out."""


class HubUnavailableError(TeacherError):
    """The Hub cannot be reached, and the teacher is not in the local cache."""


class MissingWeightsError(TeacherError):
    """Weights are absent, incomplete, or stored only as a pickle."""


class UnsupportedModuleError(TeacherError):
    """The teacher has a module that neither this package nor an installed one can run."""


class UntrustedCodeError(TeacherError):
    """The teacher comes with Python code, and the call did not allow it to run."""


class CacheError(DistillerError):
    """A cache or checkpoint is damaged, belongs to another run, or cannot be written."""


class TableError(DistillerError):
    """A table cannot be computed, rotated, weighted or rounded as asked."""


class DivergedError(DistillerError, ArithmeticError):
    """A fit or a training gave infinities or NaN."""


class UnwritablePartsError(DistillerError, ValueError):
    """The parts do not make a file that a reader would accept."""


class CheckError(DistillerError):
    """A file that was written does not give the vectors of the table it was made from."""


class OutputError(DistillerError):
    """An output cannot be written. What was there before is unchanged."""


class ConvertError(DistillerError):
    """A model cannot be converted from or to another library, or has other vectors there."""


class InexpressibleError(ConvertError):
    """The other library cannot do what the file says."""


class AdaptationError(DistillerError):
    """An adaptation cannot start: its model, tokenizer, documents or vectors do not fit."""


class IndexingError(DistillerError):
    """An index cannot be made: its model, documents and vectors do not fit."""


class TrainingError(DistillerError):
    """Training cannot start, or its examples are invalid."""


class HeadError(DistillerError):
    """A head cannot be fitted: its examples, labels or options are invalid."""


class EvaluationError(DistillerError):
    """Data, tasks or models cannot be evaluated, or a report cannot be read."""


class PublishError(DistillerError):
    """A model cannot be uploaded, or a wheel cannot have that name or version."""
