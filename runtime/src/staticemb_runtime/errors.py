"""One error class for each way that a file or an input can be wrong.

Every error derives from `StaticEmbError`. Those for files carry the error code of the
specification (conformance/SPEC.md, section 13.3) as `code`.
"""

from __future__ import annotations

from typing import ClassVar


class StaticEmbError(Exception):
    """The root of every error that this package raises on purpose."""


class ModelNotFoundError(StaticEmbError, FileNotFoundError):
    """There is no file or folder of that name."""


class AmbiguousModelError(StaticEmbError):
    """Several installed packages have a model of that name."""


class NotAModelError(StaticEmbError):
    """The folder holds no model that this package can read."""


class UnsupportedModelError(NotAModelError):
    """The folder holds a model that does more than look up rows and take their mean."""


class InvalidConfigError(StaticEmbError):
    """A settings file in a model's folder is malformed."""


class FileChangedError(StaticEmbError):
    """A file was written to while a model that maps it was open; load the model again."""


class DownloadError(StaticEmbError):
    """A model could not be brought from the Hub."""


class FormatError(StaticEmbError):
    """A file breaks the format.

    Args:
        source: the file's path.
        reading: what was being read.
        expected: what the format demands there.
        found: what stood there instead.
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
    """The data do not begin at a multiple of 8."""

    code = "header_misaligned"


class HeaderNotUtf8Error(FormatError):
    """The header is not UTF-8."""

    code = "header_not_utf8"


class HeaderNotJsonError(FormatError):
    """The header is not one JSON object followed by spaces."""

    code = "header_not_json"


class HeaderTooDeepError(FormatError):
    """The header nests deeper than a header can."""

    code = "header_too_deep"


class DuplicateKeyError(FormatError):
    """An object in the header holds a key twice."""

    code = "duplicate_key"


class MetadataNotStringsError(FormatError):
    """The metadata are missing, or no object of strings."""

    code = "metadata_not_strings"


class NotStaticembError(FormatError):
    """The file is a safetensors file of another kind."""

    code = "not_staticemb"


class UnsupportedVersionError(FormatError):
    """The file has a major version that this reader does not know."""

    code = "unsupported_version"


class UnsupportedFeatureError(FormatError):
    """The file needs a feature that this reader does not know."""

    code = "unsupported_feature"


class MissingMetadataError(FormatError):
    """A metadata key that is needed is missing."""

    code = "missing_metadata"


class InvalidMetadataError(FormatError):
    """A metadata value is misspelled or out of range."""

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
    """A tensor that is needed is missing."""

    code = "missing_tensor"


class UnexpectedTensorError(FormatError):
    """A tensor stands where it has no meaning."""

    code = "unexpected_tensor"


class WrongDtypeError(FormatError):
    """A tensor has a dtype that the format does not allow for it."""

    code = "wrong_dtype"


class WrongShapeError(FormatError):
    """A tensor has a rank or a length that the format does not allow."""

    code = "wrong_shape"


class LimitExceededError(FormatError):
    """A tensor is longer than the format allows."""

    code = "limit_exceeded"


class SizeMismatchError(FormatError):
    """A tensor's bytes are not what its dtype and shape need."""

    code = "size_mismatch"


class TensorOutOfBoundsError(FormatError):
    """A tensor's offsets leave the file, or end before they begin."""

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
    """An optional tensor does not lie behind those that vectors are made of."""

    code = "tensor_misplaced"


class RowOutOfRangeError(FormatError):
    """The row map points outside the table."""

    code = "row_out_of_range"


class ValueNotFiniteError(FormatError):
    """A tensor holds NaN or infinity."""

    code = "value_not_finite"


class ScaleNotPositiveError(FormatError):
    """A column's step is not positive."""

    code = "scale_not_positive"


class TokenizerNotUtf8Error(FormatError):
    """The tokenizer is not UTF-8."""

    code = "tokenizer_not_utf8"


class TokenizerNotJsonError(FormatError):
    """The tokenizer is not a JSON object."""

    code = "tokenizer_not_json"


class TokenizerInvalidError(FormatError):
    """The JSON is not that of a tokenizer."""

    code = "tokenizer_invalid"


class TokenIdOutOfRangeError(FormatError):
    """The tokenizer holds an id that the table has no row for."""

    code = "token_id_out_of_range"


class DigestMismatchError(FormatError):
    """The file's bytes are not those its digest was taken of."""

    code = "digest_mismatch"


class VectorsDigestMismatchError(FormatError):
    """The second digest is not that of the parts that determine vectors."""

    code = "vectors_digest_mismatch"


class InvalidTokenizerError(StaticEmbError, ValueError):
    """A tokenizer's definition cannot be read by `tokenizers`."""


class RequestError(StaticEmbError, ValueError):
    """A call asks for something that the model cannot give."""

    code: ClassVar[str]


class InvalidDimensionError(RequestError):
    """The length asked for is below 1 or above the model's dimension."""

    code = "request_dim_out_of_range"


class InvalidTokenIdError(RequestError):
    """A token id is negative or has no row."""

    code = "request_token_out_of_range"


class InvalidTextError(RequestError):
    """A text holds a surrogate, which no encoding of Unicode text can, or has no token ids.

    The latter is the fault of a tokenizer that has no unknown token for something in the text.

    Args:
        reason: what was expected and what was found.
        index: the number of the text, from 0; None where it is a prompt.

    Attributes:
        reason: as given.
        index: as given; the message begins with it.

    Example:
        >>> InvalidTextError("expected valid Unicode, found none", index=2)
        InvalidTextError('text 2: expected valid Unicode, found none')
    """

    code = "request_text_invalid"

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason if index is None else f"text {index}: {reason}")
        self.reason = reason
        self.index = index


class EmptyTextError(StaticEmbError, ValueError):
    """A text has no token that the model knows, and the call does not accept such texts."""


class EmptyTextWarning(UserWarning):
    """Texts have no token that the model knows, so that their vectors are zero."""


class InvalidOptionError(StaticEmbError, ValueError):
    """An option has a value that it cannot have."""


class WorkerError(StaticEmbError):
    """A worker process could not be started, died, or failed where this process does not."""


class InputError(StaticEmbError):
    """A row of the input cannot be read; the message names the file and the line."""


class InputEncodingError(InputError):
    """A line of the input is not UTF-8."""


class OutputError(StaticEmbError):
    """The output cannot be written."""


class BundleError(StaticEmbError):
    """A bundle for AWS Lambda cannot be built."""


class BundleTooLargeError(BundleError):
    """A bundle exceeds what Lambda takes."""


class PackageDownloadError(BundleError):
    """pip could not bring the packages for the target."""
