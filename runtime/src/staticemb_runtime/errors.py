"""The errors of this package: one class for each fault of a file or an input.

Every error derives from `StaticEmbError`. Errors about a file carry the error code of the
specification (conformance/SPEC.md, section 13.3) as `code`.
"""

from __future__ import annotations

from typing import ClassVar


class StaticEmbError(Exception):
    """The base class of every error that this package raises on purpose."""


class ModelNotFoundError(StaticEmbError, FileNotFoundError):
    """No file, folder, installed model or Hub repository has the given name."""


class AmbiguousModelError(StaticEmbError):
    """Several installed packages provide a model of the given name."""


class NotAModelError(StaticEmbError):
    """The file or folder is not a model that this package can read."""


class UnsupportedModelError(NotAModelError):
    """The folder's model does more than average table rows, or its weights are pickled."""


class InvalidConfigError(StaticEmbError):
    """A settings file in a model's folder is malformed."""


class FileChangedError(StaticEmbError):
    """A mapped file was written to after its model was loaded; load the model again."""


class DownloadError(StaticEmbError):
    """A model could not be downloaded from the Hub."""


class FormatError(StaticEmbError):
    """A file breaks the format.

    Args:
        source: the file's path.
        reading: the part of the file that was read.
        expected: the value that the format demands.
        found: the value in the file.
    """

    code: ClassVar[str]

    def __init__(self, source: str, reading: str, expected: str, found: str) -> None:
        super().__init__(f"{source}: {reading}: expected {expected}, found {found} [{self.code}]")
        self.source = source
        self.reading = reading
        self.expected = expected
        self.found = found


class FileTooShortError(FormatError):
    """The file has fewer than the 8 bytes of its first field."""

    code = "file_too_short"


class HeaderTooLargeError(FormatError):
    """The header's length is above the limit."""

    code = "header_too_large"


class HeaderTruncatedError(FormatError):
    """The header does not end within the file."""

    code = "header_truncated"


class HeaderMisalignedError(FormatError):
    """The data do not begin at a multiple of 8 bytes."""

    code = "header_misaligned"


class HeaderNotUtf8Error(FormatError):
    """The header is not UTF-8."""

    code = "header_not_utf8"


class HeaderNotJsonError(FormatError):
    """The header is not one JSON object followed by spaces."""

    code = "header_not_json"


class HeaderTooDeepError(FormatError):
    """The header nests deeper than the format allows."""

    code = "header_too_deep"


class DuplicateKeyError(FormatError):
    """An object in the header has a duplicate key."""

    code = "duplicate_key"


class MetadataNotStringsError(FormatError):
    """The metadata are missing or are not an object of strings."""

    code = "metadata_not_strings"


class NotStaticembError(FormatError):
    """The file is a safetensors file but not a static embedding file."""

    code = "not_staticemb"


class UnsupportedVersionError(FormatError):
    """This reader does not support the file's major version."""

    code = "unsupported_version"


class UnsupportedFeatureError(FormatError):
    """The file needs a feature that this reader does not support."""

    code = "unsupported_feature"


class MissingMetadataError(FormatError):
    """A required metadata key is missing."""

    code = "missing_metadata"


class InvalidMetadataError(FormatError):
    """A metadata value is malformed or out of range."""

    code = "invalid_metadata"


class InconsistentMetadataError(FormatError):
    """Metadata contradict each other or the tensors."""

    code = "inconsistent_metadata"


class InvalidTensorEntryError(FormatError):
    """A tensor's entry in the header is malformed."""

    code = "invalid_tensor_entry"


class UnknownTensorError(FormatError):
    """The file holds a tensor that the format does not name."""

    code = "unknown_tensor"


class MissingTensorError(FormatError):
    """A required tensor is missing."""

    code = "missing_tensor"


class UnexpectedTensorError(FormatError):
    """A tensor is present that the format forbids in this file."""

    code = "unexpected_tensor"


class WrongDtypeError(FormatError):
    """A tensor has a dtype that the format does not allow for it."""

    code = "wrong_dtype"


class WrongShapeError(FormatError):
    """A tensor's rank or an axis length is invalid."""

    code = "wrong_shape"


class LimitExceededError(FormatError):
    """A tensor's length or the number of optional tensors is above the limit."""

    code = "limit_exceeded"


class SizeMismatchError(FormatError):
    """A tensor's length in bytes does not fit its dtype and shape."""

    code = "size_mismatch"


class TensorOutOfBoundsError(FormatError):
    """A tensor's offsets lie outside the file or end before they begin."""

    code = "tensor_out_of_bounds"


class TensorOverlapError(FormatError):
    """Two tensors share bytes."""

    code = "tensor_overlap"


class TensorGapError(FormatError):
    """Bytes of the data belong to no tensor."""

    code = "tensor_gap"


class TensorMisalignedError(FormatError):
    """A tensor does not begin at a multiple of its element's size."""

    code = "tensor_misaligned"


class TensorMisplacedError(FormatError):
    """An optional tensor does not lie behind the tensors that determine vectors."""

    code = "tensor_misplaced"


class RowOutOfRangeError(FormatError):
    """The row map points outside the table."""

    code = "row_out_of_range"


class ValueNotFiniteError(FormatError):
    """A tensor holds NaN or infinity."""

    code = "value_not_finite"


class ScaleNotPositiveError(FormatError):
    """A column's scale is not positive."""

    code = "scale_not_positive"


class TokenizerNotUtf8Error(FormatError):
    """The tokenizer is not UTF-8."""

    code = "tokenizer_not_utf8"


class TokenizerNotJsonError(FormatError):
    """The tokenizer is not a JSON object."""

    code = "tokenizer_not_json"


class TokenizerInvalidError(FormatError):
    """The JSON does not define a valid tokenizer."""

    code = "tokenizer_invalid"


class TokenIdOutOfRangeError(FormatError):
    """A token id of the tokenizer has no row in the table."""

    code = "token_id_out_of_range"


class DigestMismatchError(FormatError):
    """The file's bytes do not match its digest."""

    code = "digest_mismatch"


class VectorsDigestMismatchError(FormatError):
    """The parts that determine vectors do not match `vectors_digest`."""

    code = "vectors_digest_mismatch"


class MissingPackageError(StaticEmbError, ImportError):
    """The operation needs a package that is not installed; the message names it."""


class InvalidTokenizerError(StaticEmbError, ValueError):
    """The `tokenizers` library cannot read a tokenizer's definition."""


class RequestError(StaticEmbError, ValueError):
    """A call asks for something that the model cannot provide."""

    code: ClassVar[str]


class InvalidDimensionError(RequestError):
    """The requested length is below 1 or above the model's dimension."""

    code = "request_dim_out_of_range"


class InvalidTokenIdError(RequestError):
    """A token id is negative or has no row."""

    code = "request_token_out_of_range"


class InvalidTextError(RequestError):
    """A text holds a lone surrogate, or the tokenizer cannot encode it.

    A tokenizer cannot encode a text with an unknown piece if it has no unknown token.

    Args:
        reason: the expected and the found value.
        index: the number of the text, from 0; None for a prompt.

    Attributes:
        reason: as given.
        index: as given; the message begins with it.

    Example:
        >>> InvalidTextError("expected valid Unicode, found a lone surrogate", index=2)
        InvalidTextError('text 2: expected valid Unicode, found a lone surrogate')
    """

    code = "request_text_invalid"

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason if index is None else f"text {index}: {reason}")
        self.reason = reason
        self.index = index


class InvalidVectorError(RequestError):
    """A vector of a teacher has another length than its space, or a value that is not finite."""

    code = "request_vector_invalid"


class MissingSpaceError(RequestError):
    """The file has no part `space`, a malformed one, or one without vectors of probe texts."""

    code = "request_space_missing"


class QueryOnlyError(RequestError):
    """The file is made for queries, and the call embeds documents."""

    code = "request_query_only"


class MissingHeadError(RequestError):
    """The file has no head of the name, several and none is named, or a malformed one."""

    code = "request_head_missing"


class SpaceMismatchError(StaticEmbError, ValueError):
    """Vectors do not compare: they are of different teachers, files or lengths."""


class PartError(StaticEmbError, ValueError):
    """An optional part of a file is malformed."""


class EmptyTextError(StaticEmbError, ValueError):
    """A text has no token that the model knows, and the call refuses such texts."""


class EmptyTextWarning(UserWarning):
    """Texts have no token that the model knows; their vectors are zero."""


class LanguageWarning(UserWarning):
    """Texts are in a language that the model does not read; their vectors mean little."""


class InvalidOptionError(StaticEmbError, ValueError):
    """An option has an invalid value."""


class InputError(StaticEmbError):
    """A row of the input cannot be read; the message names the file and the line."""


class InputEncodingError(InputError):
    """A line of the input is not UTF-8."""


class OutputError(StaticEmbError):
    """The output cannot be written."""


class WriteError(OutputError):
    """The system refuses to write an output: the disk is full, or a permission is missing."""


class ManifestError(OutputError):
    """An output folder belongs to a run with another model or other options, or is in use."""


class BundleError(StaticEmbError):
    """A bundle for AWS Lambda cannot be built."""


class BundleTooLargeError(BundleError):
    """A bundle exceeds Lambda's size limit."""


class PackageDownloadError(BundleError):
    """pip could not download the packages for the target."""


class SearchIndexError(StaticEmbError):
    """A search index cannot be used; the message names the file and the reason."""


class IndexNotFoundError(SearchIndexError, FileNotFoundError):
    """There is no search index at the path."""


class NotAnIndexError(SearchIndexError):
    """The file is no search index, is damaged, or has a schema that this version cannot read."""


class IndexModelError(SearchIndexError):
    """The model gives other vectors than the model that an index was made with."""


class IndexBusyError(SearchIndexError):
    """Another process has been writing to the index for longer than the timeout."""


class IndexReadOnlyError(SearchIndexError):
    """The index is open for reading alone, or its file cannot be written."""


class FullTextMissingError(SearchIndexError):
    """Python's sqlite3 lacks FTS5, which search by words needs; search by vectors works."""


class ServeError(StaticEmbError):
    """The server cannot start; the message names the reason."""
