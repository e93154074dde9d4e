"""The model card of a repository: what the file says of itself, and how each library loads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from staticemb_runtime.format import ModelParts

TAGS: Final = ("static-embeddings", "embeddings")

_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LICENSE_ID: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_INTRODUCTION: Final = """\
A static embedding model: a table of token vectors. A text is tokenized, its tokens' rows are
averaged, and that is its vector; no transformer runs, and any CPU will do."""
_LIMITS: Final = """\
A mean of token vectors sees neither the order of words nor what a negation refers to. Texts in
languages that its vocabulary does not cover get poor vectors."""
_OURS: Final = """\
```sh
pip install 'staticemb-runtime[hub]'
```

```python
from staticemb_runtime import StaticModel

model = StaticModel.from_pretrained("{repo_id}")
vectors = model.encode(["a text", "another"])
```"""
_PEERS: Final = """\
The repository holds the same model in a layout that two other libraries open by themselves:

```python
from model2vec import StaticModel

model = StaticModel.from_pretrained("{repo_id}")
```

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{repo_id}")
```"""


def front_matter(file: ModelParts, library: str, tags: Sequence[str] = ()) -> str:
    """The head of a card in YAML, between its lines of dashes.

    Args:
        file: the model; its metadata name the teacher, the license and the languages.
        library: the library that the Hub names first.
        tags: more tags.
    """
    from huggingface_hub import ModelCardData

    extra = file.metadata.extra
    head: dict[str, Any] = {"library_name": library, "tags": [*TAGS, *tags]}
    licenses = [part.strip() for part in extra.get("license", "").split(",") if part.strip()]
    if licenses:
        spelled = [name.lower() for name in licenses]
        if all(map(_LICENSE_ID.fullmatch, spelled)):
            head["license"] = spelled[0] if len(spelled) == 1 else spelled
        else:
            head |= {"license": "other", "license_name": one_line(extra["license"])}
    if extra.get("languages"):
        head["language"] = extra["languages"].split(" ")
    if _HUB_ID.fullmatch(extra.get("teacher", "")):
        head["base_model"] = extra["teacher"]
    return f"---\n{ModelCardData(**head).to_yaml()}\n---\n"


def repository_card(
    repo_id: str,
    file: ModelParts,
    *,
    copy_notes: Sequence[str] | None = None,
    figures: str = "",
) -> str:
    """Return the README.md of a repository.

    Args:
        repo_id: `organization/name`.
        file: the model.
        copy_notes: the differences in behavior of the copy for other libraries; None: there is no
            copy.
        figures: results of an evaluation, in Markdown.
    """
    libraries = [] if copy_notes is None else ["model2vec", "sentence-transformers"]
    # The Hub knows how to show and to count models of sentence-transformers.
    library = "sentence-transformers" if libraries else "staticemb"
    usage = [_OURS.format(repo_id=repo_id)]
    if copy_notes is not None:
        usage.append(_PEERS.format(repo_id=repo_id))
        usage += ["\n".join(f"- {one_line(note)}" for note in copy_notes)] if copy_notes else []
    sections = [
        front_matter(file, library, ["staticemb", *libraries, "sentence-similarity"]),
        f"# {repo_id.partition('/')[2]}",
        _INTRODUCTION,
        "\n".join(f"- {name}: {value}" for name, value in _facts(file)),
        "## Use",
        *usage,
        *_recipe(file),
        *(["## Evaluation", figures] if figures else []),
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def one_line(text: str) -> str:
    """Join the lines of a text, so that metadata from strangers cannot add Markdown."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _facts(file: ModelParts) -> list[tuple[str, str]]:
    metadata, extra = file.metadata, file.metadata.extra
    rows, dim = file.embeddings.shape
    pooling: str = metadata.pooling
    if metadata.pooling == "damped_mean":
        pooling += f" (β = {metadata.damping_beta:g} over {metadata.damping_dims} dimensions)"
    facts = [
        ("table", f"{rows:,} rows of {dim} dimensions, {file.embeddings.dtype.name}"),
        ("lengths that vectors can be cut to", ", ".join(map(str, metadata.prefixes))),
        ("pooling", pooling),
        ("vectors have unit length", "yes" if metadata.normalize else "no"),
    ]
    if metadata.max_tokens is not None:
        facts.append(("tokens looked at", f"the first {metadata.max_tokens:,} of a text"))
    named = {
        "teacher": "teacher",
        "teacher_revision": "the teacher's revision",
        "license": "license",
        "languages": "languages",
        "creator": "made by",
        "description": "description",
    }
    facts += [(label, one_line(extra[key])) for key, label in named.items() if extra.get(key)]
    facts.append(("digest of model.staticemb", metadata.digest))
    return facts


def _recipe(file: ModelParts) -> list[str]:
    recipe = file.metadata.extra.get("recipe", "").strip()
    if not recipe:
        return []
    longest = max(map(len, re.findall("`+", recipe)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["## Recipe", f"{fence}toml\n{recipe}\n{fence}"]
