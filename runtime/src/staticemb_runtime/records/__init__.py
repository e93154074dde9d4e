"""Read and write rows: lines, CSV, TSV, JSON lines, Parquet and NPY, compressed or not.

In: paths or open files. Out: rows as dictionaries; complete files.
May use: `errors`, `format`. Public.
"""

from .compression import COMPRESSION_SUFFIXES, decompressed
from .documents import Columns, SourceDocument, read_documents, source_files
from .forms import MOST_MISSING, SUFFIXES, form_of
from .readers import check_names, csv_rows, json_record, open_input, text_lines

__all__ = [
    "COMPRESSION_SUFFIXES",
    "MOST_MISSING",
    "SUFFIXES",
    "Columns",
    "SourceDocument",
    "check_names",
    "csv_rows",
    "decompressed",
    "form_of",
    "json_record",
    "open_input",
    "read_documents",
    "source_files",
    "text_lines",
]
