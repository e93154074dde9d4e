"""Files of rows in every format that is read, packed or not."""

import csv
import gzip
import io
import json

import pytest


def write(path, header, rows):
    """Write rows in the format that the name asks for; `header` may be None for CSV and TSV."""
    kind = path.suffixes[0]
    if kind == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        table = pyarrow.table(dict(zip(header, zip(*rows, strict=True), strict=True)))
        parquet.write_table(table, path, row_group_size=2)
        return path
    if kind == ".jsonl":
        lines = (json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
        return pack(path, "".join(lines))
    file = io.StringIO()
    table = csv.writer(file, delimiter="," if kind == ".csv" else "\t")
    table.writerows([header, *rows] if header else rows)
    return pack(path, file.getvalue())


def pack(path, content):
    """Write text, packed as the name asks for it."""
    data = content.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = pytest.importorskip("zstandard").compress(data)
    path.write_bytes(data)
    return path
