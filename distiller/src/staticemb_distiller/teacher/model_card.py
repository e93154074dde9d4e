"""The head of a model card: the YAML between two lines `---` at the start of a `README.md`.

Cards are untrusted, so `huggingface_hub.metadata_load` is not used: it reads files of any size, and
its YAML allows references, with which a card of 1 KB can take hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEAD_CHARACTERS: Final = 1 << 16


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without references: a few lines with references can expand to any size."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - as PyYAML has it
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("references are not supported")
        return super().compose_node(parent, index)


def read_head(folder: Path) -> dict[str, Any]:
    """Read the head of a folder's model card.

    Args:
        folder: The folder of the card, `README.md`.

    Returns:
        The members of the head. They are empty if the card is missing, has no head or cannot be
        parsed, because a card may contain anything.
    """
    try:
        with (folder / "README.md").open(encoding="utf-8-sig") as file:
            text = file.read(MAX_HEAD_CHARACTERS)
        start, lines = text.split("\n", 1)
        if start.rstrip() != "---":
            return {}
        head, closed, _ = f"\n{lines}".partition("\n---")
        members = yaml.load(head, _Loader) if closed else None  # noqa: S506 - a safe loader
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return members if isinstance(members, dict) else {}


def license_and_languages(folder: Path) -> tuple[str, str]:
    """Return the license and the languages of a folder's model card.

    Returns:
        Each with commas between several; "" if it is missing or not text.
    """
    head = read_head(folder)
    name = head.get("license")
    if name == "other":
        name = head.get("license_name", name)
    return _joined(name), _joined(head.get("language"))


def language_tags(languages: str) -> str:
    """Return comma-separated languages with single spaces between them, as metadata hold them."""
    return " ".join(languages.replace(",", " ").split())


def _joined(value: object) -> str:
    items = value if isinstance(value, list) else [value]
    # YAML 1.1 reads the language code `no` as false.
    texts = ["no" if item is False else item for item in items]
    return ",".join(text for text in texts if isinstance(text, str))
