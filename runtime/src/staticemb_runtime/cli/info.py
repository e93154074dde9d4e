"""`staticemb info`: show the settings and sizes of a model."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import MissingHeadError, PartError
from ..format.metadata import SPACE_KEY
from ..loading.installed import MODEL_HELP, chosen, locate
from ..loading.path import open_parts
from ..tokenization.open_encoder import tokenized_by
from .process import printable
from .terminal import cut

if TYPE_CHECKING:
    from ..format.parts import ModelParts

_ABSENT: Final = object()  # the value of a fact that a file does not have
_LABELS: Final = 5  # of a head
_LINES_AROUND: Final = 2  # the command and the next prompt


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "info",
        help="print the settings and sizes of a model",
        description="Print the settings and sizes of a model. At a terminal, lines that do not fit "
        "are left out.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("file", nargs="?", default=chosen(), metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "--verify", action="store_true", help="read the whole file and check its digest"
    )
    parser.add_argument(
        "--all", action="store_true", help="at a terminal: print all lines and whole values"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    file = open_parts(locate(options.file), verify=options.verify)
    meta = file.metadata
    first = _settings(file)
    facts = {name: value for name, value in first.items() if value is not _ABSENT}
    last = {
        "digest": meta.digest,
        "vectors_digest": meta.vectors_digest,
        "verified": options.verify,
    }
    described = {SPACE_KEY, *_described_heads(facts.get("heads", {}))}
    # Metadata that a reader ignores may have any key, and replace no fact.
    extra = {
        f"metadata.{key}" if key in first | last else key: text
        for key, text in meta.extra.items()
        if key not in described
    }
    facts |= extra | last
    if options.json:
        print(json.dumps(facts, ensure_ascii=True, indent=2))
    elif options.all or not sys.stdout.isatty():
        print("\n".join(_table_lines(facts)))
    else:
        print("\n".join(_fitted(facts, [*extra, "vectors_digest", "token_weights"])))
    return 0


def _settings(file: ModelParts) -> dict[str, Any]:
    """Return all facts by name, in the order in which they are shown."""
    meta = file.metadata
    n_rows, dim = file.embeddings.shape
    is_damped = meta.pooling == "damped_mean"
    heads = _heads(file)
    parts = _described_heads(heads)
    others = [name for name in file.optional if ".".join(name.split(".")[:2]) not in parts]
    return {
        "file": file.path,
        "bytes": _size(Path(file.path)),
        "format_version": meta.format_version,
        "features": list(meta.features),
        "dim": dim,
        "rows": n_rows,
        "token_ids": file.n_token_ids,
        "dtype": file.embeddings.dtype.name,
        "token_weights": "stored" if file.weights is not None else "folded into the rows",
        "prefixes": list(meta.prefixes),
        "normalize": meta.normalize,
        "pooling": meta.pooling,
        "damping_beta": meta.damping_beta if is_damped else _ABSENT,
        "damping_dims": meta.damping_dims if is_damped else _ABSENT,
        "tokenized_by": tokenized_by(file),
        "max_tokens": meta.max_tokens,
        "unknown_token_id": meta.unknown_token_id,
        "prompts": meta.prompts or _ABSENT,
        "space": _space(file),
        "heads": heads or _ABSENT,
        "optional_tensors": others or _ABSENT,
        "refused_parts": list(file.refused) or _ABSENT,
    }


def _space(file: ModelParts) -> object:
    """Describe the part `space`; a malformed part is named among the refused parts."""
    if SPACE_KEY not in file.metadata.extra:
        return _ABSENT
    from ..format.space import read_space  # late: not every file has the part

    try:
        part = read_space(file)
    except PartError as error:
        return f"refused: {error}"
    return _ABSENT if part is None else part.space._asdict()


def _heads(file: ModelParts) -> dict[str, Any]:
    """Describe the classifiers and regressors by name."""
    from ..heads.file_heads import Heads  # late: not every file has a head

    heads = Heads(file, os.path.abspath(file.path))  # noqa: PTH100 - as the model's own
    described: dict[str, Any] = {}
    for name in heads.names:
        try:
            head = heads.scorer(name).head
        except MissingHeadError as error:
            described[name] = f"refused: {error}"
            continue
        described[name] = {
            "kind": head.kind,
            "labels": list(head.labels),
            "dimension": head.dimension,
            "hidden": None if head.hidden is None else len(head.hidden.bias),
            "dtype": head.output.weights.dtype.name,
        }
        if head.prompt is not None:
            described[name]["prompt"] = head.prompt
    return described


def _described_heads(heads: dict[str, Any]) -> set[str]:
    """Return the parts of heads that are no malformed ones, which are shown as they are."""
    return {f"head.{name}" for name, head in heads.items() if isinstance(head, dict)}


def _spelled_heads(heads: dict[str, Any]) -> str:
    """Describe the heads on a line each."""
    kinds = {"softmax": "one label of", "sigmoid": "labels among", "linear": "numbers:"}
    lines = []
    for name, head in heads.items():
        if isinstance(head, str):
            lines.append(f"{name}: {head}")
            continue
        labels = ", ".join(head["labels"][:_LABELS]) + ", …" * (len(head["labels"]) > _LABELS)
        hidden = f"; {head['hidden']:,} hidden" if head["hidden"] else ""
        count = f"{len(head['labels']):,} "
        lines.append(f"{name}: {kinds[head['kind']]} {count}({labels}){hidden}")
    return "\n".join(map(printable, lines))


def _spelled_space(space: dict[str, Any], teacher: object) -> str:
    """Describe the part on a line; its teacher is named unless another line names it."""
    sides = {
        "table": "documents by the table or the teacher",
        "teacher": "documents by the teacher",
    }
    name = "" if space["teacher"] == teacher else f"{space['teacher']}, "
    return f"{name}{space['dimension']:,} dimensions; {sides[space['documents']]}"


def _table_lines(facts: dict[str, Any]) -> list[str]:
    """Return a table of names and values as lines."""
    width = max(map(len, facts))
    table = []
    for key, value in facts.items():
        spelled = value
        if key == "space" and isinstance(value, dict):
            spelled = _spelled_space(value, facts.get("teacher"))
        if key == "heads":
            spelled = _spelled_heads(value)
        lines = _spell(spelled).split("\n")
        for label, line in zip([key, *[""] * len(lines)], lines, strict=False):
            table.append(f"{printable(label):<{width}}  {printable(line)}".rstrip())
    return table


def _fitted(facts: dict[str, Any], extra: list[str]) -> list[str]:
    """Return the lines that fit a terminal; the last keys of the extra metadata are left out."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    columns, rows = columns or 80, (rows or 24) - _LINES_AROUND
    short = {
        key: f"{value.count(chr(10)) + 1} lines" if "\n" in str(value) else value
        for key, value in facts.items()
    }
    # Keys that begin with "x-" are notes of the tool that made the file; they are left out first,
    # the teacher's name last.
    optional = sorted(
        extra,
        key=lambda key: (key.startswith("x-"), short[key] != facts[key], key != "teacher"),
    )
    hidden = 0
    while optional and len(short) > rows - 1:
        del short[optional.pop()]
        hidden += 1
    lines = _table_lines(short)
    complete = hidden == 0 and all(len(line) <= columns for line in lines) and short == facts
    lines = [cut(line, columns) for line in lines]
    if complete:
        return lines
    return [*lines, f"{hidden} more, and whole values: --all" if hidden else "whole values: --all"]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else str(value)
