"""One error class for each thing that can go wrong while a file is made.

Every class derives from `DistillerError`; the command line prints its message as one line.
"""

from __future__ import annotations


class DistillerError(Exception):
    """The root of every error that this package raises on purpose."""


# write


class UnwritablePartsError(DistillerError, ValueError):
    """The parts do not make a file that a reader would accept."""


class WriteError(DistillerError, OSError):
    """The file could not be written; nothing is left at its place."""


# fit


class FitInputError(DistillerError, ValueError):
    """Counts, targets, prior and knobs of a fit do not belong together."""


class FitDivergedError(DistillerError, ArithmeticError):
    """A fit gave infinities or NaN."""


# text, records, text_files, text_hub


class TextSourceError(DistillerError):
    """A source of text cannot be read, or holds none."""


class TextColumnError(TextSourceError):
    """A source has no such column, or several that could be the text."""


class TextEncodingError(TextSourceError):
    """A file's bytes are not UTF-8."""


class ColumnCountError(TextSourceError):
    """A row has fewer or more columns than the first one."""


class TextPackageError(DistillerError, ImportError):
    """An optional package that the source needs is not installed."""


# teacher_cache


class TeacherCacheError(DistillerError):
    """The cache of the teacher's vectors is damaged or cannot be written."""


# teacher


class TeacherError(DistillerError):
    """The teacher cannot be loaded or cannot encode."""


class TeacherNotFoundError(TeacherError):
    """Neither a folder with a model in it nor an id the Hub knows."""


class TeacherGatedError(TeacherError):
    """The Hub wants its conditions accepted, or a sign-in, before it hands the teacher out."""


class HubUnavailableError(TeacherError):
    """The Hub cannot be reached, and the teacher is not in the local cache."""


class TeacherRevisionError(TeacherError):
    """The teacher exists, the revision asked for does not."""


class InvalidTeacherFileError(TeacherError):
    """A file of the teacher cannot be read, or contradicts the others."""


class MissingWeightsError(TeacherError):
    """Weights are absent, incomplete, or stored only as a pickle."""


class UnsupportedModuleError(TeacherError):
    """The teacher has a part that neither this package nor an installed one can run."""


class UnknownArchitectureError(TeacherError):
    """The installed transformers does not know the teacher's architecture."""


class UntrustedCodeError(TeacherError):
    """The teacher brings Python code of its own, and nobody allowed it to run."""


class SlowTokenizerError(TeacherError):
    """The teacher's tokenizer has no `tokenizers` (fast) form."""


class DeviceError(TeacherError):
    """The device or number type asked for does not exist here."""


class TeacherOutOfMemoryError(TeacherError):
    """Even a single text does not fit into the device's memory."""


class NonFiniteVectorsError(TeacherError):
    """The teacher gave vectors with infinities or NaN in them."""


class InvalidTextError(TeacherError):
    """An input is not a string that can be encoded as UTF-8."""


class TokenIdsError(TeacherError):
    """A token id or a sequence of them is outside what the teacher takes."""


class PoolerMissingError(TeacherError):
    """Pooler output was asked of a teacher that has no trained pooler."""


# vocabulary


class VocabularyError(DistillerError):
    """The root of the vocabulary's errors."""


class UnsupportedTokenizerError(VocabularyError):
    """The teacher's tokenizer is of a kind that cannot be edited as asked, or fails at texts."""


class UnknownModeError(VocabularyError):
    """The vocabulary's mode is none of `output`, `word` and `subword`."""


class MissingWordsError(VocabularyError):
    """The mode needs a vocabulary of words and none was given."""


class UnexpectedWordsError(VocabularyError):
    """Words were given to a mode that takes none."""


class EmptyVocabularyError(VocabularyError):
    """The vocabulary that was given holds no entry."""


class BlankVocabularyError(VocabularyError):
    """The vocabulary that was given holds nothing but white space."""


class DuplicateWordError(VocabularyError):
    """An entry stands twice in the vocabulary that was given."""


class UnusableVocabularyError(VocabularyError):
    """No entry of the vocabulary can be turned into a token."""


class VocabularyFileError(VocabularyError):
    """A file of words cannot be read."""


class InvalidPatternError(VocabularyError):
    """The pattern of tokens to drop is no regular expression."""


class PatternDropsEverythingError(VocabularyError):
    """The pattern of tokens to drop leaves no token."""


class TokenCountsError(VocabularyError):
    """Token counts do not belong to this tokenizer."""


class UnusedVocabularyError(VocabularyError):
    """The corpus uses no token often enough to keep it."""


class CountSettingError(VocabularyError):
    """A setting of the counting is out of its range."""


# inputs


class InputFileError(DistillerError):
    """A text file that the recipe names cannot be read."""


# recipe


class RecipeWarning(UserWarning):
    """A recipe has a knob that does nothing any more."""


class RecipeError(DistillerError):
    """A knob is unknown, of the wrong kind, out of its range, or contradicts another."""


# tokens


class TokenVectorsError(DistillerError):
    """The teacher's vectors for the tokens are of the wrong shape or not finite."""


class CheckpointError(DistillerError):
    """A checkpoint folder cannot be used, or belongs to another run."""


# zipf


class WeightsError(DistillerError):
    """A SIF coefficient outside (0, 1), or counts that are no counts."""


# rotate


class RotationError(DistillerError):
    """More dimensions asked for than there are, too few tokens, or nothing that varies."""


# quantize


class QuantizeError(DistillerError):
    """A table that cannot be stored in the number format asked for, or cannot be clustered."""


# check


class CheckError(DistillerError):
    """The file that was written does not give back the vectors that went into it."""


# pipeline


class OutputError(DistillerError):
    """The output file cannot be written where it was asked for."""


# demo


class DemoError(DistillerError):
    """The demo's own teacher is missing or not the real one."""


# evaluation


class EvaluationError(DistillerError):
    """The root of the evaluation's errors."""


class DataFolderError(EvaluationError):
    """The folder of evaluation data is absent, or holds no task."""


class DataRowError(EvaluationError):
    """A row of a data file does not follow the file's format."""


class UnknownTaskError(EvaluationError):
    """A task was asked for that the folder of data does not hold."""


class UnknownModelError(EvaluationError):
    """What was given is no model that can be evaluated."""


class PrefixError(EvaluationError):
    """A prefix length is no positive number."""


class BadVectorsError(EvaluationError):
    """A model returned something other than one finite vector for each text."""


class MissingPackageError(EvaluationError):
    """An optional package is needed and is not installed."""


class ReportError(EvaluationError):
    """A report made earlier cannot be read, or was made on other data."""


# training


class TrainingError(DistillerError):
    """The root of the training's errors."""


class TrainingStartError(TrainingError):
    """A training asks of its start what it does not have."""


class TrainingDivergedError(TrainingError, ArithmeticError):
    """A training's loss became infinite or NaN."""


class TrainingPackageError(TrainingError, ImportError):
    """An optional package that the training needs is not installed."""


class TrainingDataError(TrainingError):
    """The root of what can be wrong with examples to train on."""


class ExampleKindError(TrainingDataError):
    """No telling what kind of examples a source holds, or columns that do not make the kind."""


class MissingColumnError(TrainingDataError):
    """A source has fewer columns than its kind of examples needs."""


class EmptyTextError(TrainingDataError):
    """A text of an example is empty."""


class ScoreError(TrainingDataError):
    """A score is no finite number, outside its range, or the same everywhere."""


class LabelError(TrainingDataError):
    """A label is absent, is the only one, or has a single example."""


class NoExamplesError(TrainingDataError):
    """A source holds no examples."""


class DuplicatesOnlyError(TrainingDataError):
    """One text stands in every example: there is nothing to tell it from."""


class TooFewExamplesError(TrainingDataError):
    """A source holds fewer examples than a batch."""


class DataFileError(TrainingDataError, OSError):
    """The folder that keeps the tokenized examples cannot be written or read."""


# convert and export


class ConvertError(DistillerError):
    """A model cannot be rewritten as a file, or the file has other vectors."""


class WordVectorsError(ConvertError):
    """A file of word vectors cannot be read, or a row is malformed."""


class ExportError(DistillerError):
    """A model cannot be exported, or the export has other vectors."""


class InexpressibleError(ExportError):
    """The other library cannot do what the file says."""


# wheel


class WheelError(DistillerError, OSError):
    """The wheel of a model cannot be built."""


class WheelNameError(DistillerError, ValueError):
    """A wheel cannot have that name or version."""


# push


class PushError(DistillerError):
    """A model cannot be uploaded."""


class PushRefusedError(PushError):
    """The Hub wants a token, or a token with other rights."""
