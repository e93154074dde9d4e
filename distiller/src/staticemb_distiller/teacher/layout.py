"""The files of a teacher's folder: JSON files, the list of modules, and prompts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TeacherError, UntrustedCodeError

LIBRARY_PREFIX = "sentence_transformers."
TRUST = "distill runs it with --trust-remote-code (trust_remote_code=True) if you trust its author"


@dataclass(frozen=True)
class Entry:
    """An entry of modules.json: a class and the folder of its settings."""

    type: str
    folder: Path

    @property
    def kind(self) -> str:
        """The class name without modules, for example `Pooling`."""
        return self.type.rpartition(".")[2]


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is anything
    """Read a JSON file.

    Raises:
        TeacherError: The file is not JSON in UTF-8.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TeacherError(f"{path}: expected JSON, found: {error}") from error


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; `{}` if the file does not exist.

    Raises:
        TeacherError: The file is not a JSON object.
    """
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise TeacherError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def read_entries(folder: Path, *, trust_remote_code: bool = False) -> list[Entry] | None:
    """Read modules.json of a teacher's folder; None if it does not exist.

    Raises:
        TeacherError: The file is invalid, or a module path leaves the folder.
        UntrustedCodeError: A class is not in sentence-transformers.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return None
    listed = read_json(path)
    if not isinstance(listed, list) or not listed:
        raise TeacherError(f"{path}: expected a list of modules")
    entries = []
    for item in listed:
        kind, sub = (item.get("type"), item.get("path")) if isinstance(item, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(sub, str):
            raise TeacherError(f"{path}: expected `type` and `path`, found {item!r}")
        if not _is_inside(folder, sub):
            raise TeacherError(f"{path}: module path {sub!r} leaves the folder")
        if not kind.startswith(LIBRARY_PREFIX) and not trust_remote_code:
            raise UntrustedCodeError(f"{path}: module {kind!r} is the teacher's own code; {TRUST}")
        entries.append(Entry(kind, folder / sub))
    return entries


def _is_inside(folder: Path, sub: str) -> bool:
    try:
        return (folder / sub).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # no path: too long, or with characters that paths cannot have
        return False


def read_prompts(folder: Path) -> tuple[dict[str, str], str]:
    """Read a teacher's prompts by name, and its default prompt ("" if it has none).

    Raises:
        TeacherError: The file is invalid.
    """
    path = folder / "config_sentence_transformers.json"
    config = read_object(path)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict):
        raise TeacherError(f"{path}: prompts: expected an object, found {prompts!r}")
    # sentence-transformers writes null if a prompt is not set.
    texts = {name: text for name, text in prompts.items() if isinstance(text, str)}
    default = config.get("default_prompt_name")
    if default is None:
        return texts, ""
    if not isinstance(default, str) or default not in prompts:
        raise TeacherError(f"{path}: default prompt {default!r} is not among {sorted(prompts)}")
    return texts, texts.get(default, "")
