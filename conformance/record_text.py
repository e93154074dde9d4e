"""Record the token ids that the `tokenizers` library gives for the texts of the cases.

    python record_text.py            writes recorded/text_ids.json

Of all scripts in this folder, only this one needs `tokenizers`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from generator.vocabularies import TEXTS, TOKENIZERS

PATH = Path(__file__).parent / "recorded" / "text_ids.json"


def record() -> str:
    """Return the text of the recording's file."""
    recorded: dict[str, dict[str, Any]] = {}
    for name, make in TOKENIZERS.items():
        definition = make()
        tokenizer = Tokenizer.from_str(definition.decode())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        ids = {
            key: tokenizer.encode(text, add_special_tokens=False).ids for key, text in TEXTS.items()
        }
        recorded[name] = {"sha256": hashlib.sha256(definition).hexdigest(), "ids": ids}
    lines = json.dumps({"texts": TEXTS}, indent=1)[1:-2] + ",\n"
    for name, entry in recorded.items():
        inner = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in entry["ids"].items())
        lines += (
            f' "{name}": {{\n  "sha256": "{entry["sha256"]}",\n  "ids": {{\n{inner}\n  }}\n }},\n'
        )
    return "{" + lines[:-2] + "\n}\n"


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(record(), encoding="ascii")
