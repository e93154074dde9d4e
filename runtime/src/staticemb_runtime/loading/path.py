"""Loading by path: a static embedding file, or the folder of another library's model."""

from __future__ import annotations

import os

from ..errors import StaticEmbError
from ..format.parts import ModelParts
from ..format.reader import read
from ..format.tensors import path_error
from .installed import FILE_NAME


def open_parts(
    path: str | os.PathLike[str], *, verify: bool = False, mmap: bool = True
) -> ModelParts:
    """Open a file with `format.read`, a folder with `read_folder`.

    Full verification (`verify`) also builds the tokenizer.

    A folder that holds `model.staticemb` is opened as that file, like a repository of the Hub.

    Raises:
        ModelNotFoundError: the path does not exist.
        NotAModelError: the folder holds no model that this package can read, or the path cannot be
            read.
        FormatError: a subclass for each fault.
        MissingPackageError: full verification needs `tokenizers`, which is not installed.
    """
    if os.path.isdir(path) and os.path.isfile(inside := os.path.join(path, FILE_NAME)):
        path = inside
    file = _open(path, verify, mmap)
    if verify:
        from ..tokenization.open_encoder import check_readable  # late: slow to import

        check_readable(file)
    return file


def _open(path: str | os.PathLike[str], verify: bool, mmap: bool) -> ModelParts:
    if not os.path.isdir(path):
        return read(path, verify=verify, mmap=mmap)
    from .foreign import read_folder  # late: most programs open files

    try:
        return read_folder(path, verify=verify, mmap=mmap)
    except StaticEmbError:
        raise
    except OSError as error:  # a file of the folder disappeared or cannot be read
        raise path_error(error.filename or path, error) from None
