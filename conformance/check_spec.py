"""Compare the tables of SPEC.md with the runtime's code, the cases and the minimal adapters.

    python check_spec.py [SPEC]        needs staticemb_runtime; exit status 1 for a difference

Implementers do not need this script.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from staticemb_runtime import errors
from staticemb_runtime.format import header, heads, metadata, safetensors_header
from staticemb_runtime.format import tokenizer_check as tokenizer_definition

HERE = Path(__file__).parent
LIMITS = {
    "header (`H`)": safetensors_header.MAX_HEADER_BYTES,
    "dimension (`D`)": header.MAX_DIM,
    "rows (`R`)": header.MAX_ROWS,
    "token ids (`V`)": header.MAX_TOKEN_IDS,
    "tokenizer (`N`)": header.MAX_TOKENIZER_BYTES,
    "optional tensors": header.MAX_OPTIONAL,
    "prompts": metadata.MAX_PROMPTS,
    "a prompt's name": metadata.MAX_PROMPT_NAME_BYTES,
    "a prompt's text": metadata.MAX_PROMPT_BYTES,
    "a head's outputs (`K`)": heads.MAX_OUTPUTS,
    "a head's hidden outputs (`Q`)": heads.MAX_OUTPUTS,
    "the name of an output": heads.MAX_LABEL_BYTES,
}


def tables(spec: str) -> dict[str, list[list[str]]]:
    """Parse the tables outside examples.

    Returns:
        The heading of the first column -> the rows below it, each a list of cells.
    """
    text = re.sub(r"<!-- example: .*?<!-- /example -->", "", spec, flags=re.DOTALL)
    by_heading: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.split("\n")
        ]
        by_heading.setdefault(rows[0][0], []).extend(rows[2:-1])
    return by_heading


def words(cell: str) -> tuple[str, ...]:
    """Extract the words in backquotes."""
    return tuple(re.findall(r"`([^`]+)`", cell))


def differ(what: str, spec: object, code: object) -> Iterator[str]:
    """Yield a line if the specification and the code differ."""
    if spec != code:
        yield f"{what}: SPEC.md has {spec}, the code has {code}"


def check_metadata(spec: str, rows: list[list[str]]) -> Iterator[str]:
    """Compare section 5 with the code."""
    by_need: dict[str, list[str]] = {}
    for key, _, needed, _ in rows:
        by_need.setdefault(needed.split(" ")[0], []).extend(words(key))
    for needed, keys in (
        ("always", metadata.REQUIRED_KEYS),
        ("with", metadata.DAMPING_KEYS),
        ("optional", metadata.OPTIONAL_KEYS),
    ):
        yield from differ(f"metadata, {needed}", tuple(by_need[needed]), keys)
    kinds = {words(row[0])[0]: row[1] for row in rows}
    yield from differ("range of β", kinds["damping_beta"], f"number, 0 to {metadata.MAX_BETA:g}")
    power = f"2^{(metadata.MAX_MAX_TOKENS + 1).bit_length() - 1} − 1"
    yield from differ("range of max_tokens", kinds["max_tokens"], f"integer, 1 to {power}")
    listed = re.search(r"Its `type` is (.*?)\.", spec)
    kinds_of_model = words(listed[1]) if listed else ()
    yield from differ("tokenizers", kinds_of_model, tokenizer_definition.TOKENIZER_MODELS)


def check_tensors(spec: str, found: dict[str, list[list[str]]]) -> Iterator[str]:
    """Compare sections 4, 6, 6.1, 10, 12 and 13.1 with the code."""
    dtypes = {words(name)[0]: words(dtype) for name, _, dtype, _, _ in found["name"]}
    code = {name: rule.dtypes for name, rule in header.TENSORS.items()}
    yield from differ("tensors", dtypes, code)
    limits = {what: int(re.sub(r"[^0-9]", "", limit)) for what, limit in found["what"]}
    yield from differ("limits", limits, LIMITS)
    yield from differ(
        "H in section 4", f"- `H` is at most {safetensors_header.MAX_HEADER_BYTES:,}." in spec, True
    )
    features = tuple(words(row[0])[0] for row in found["feature"])
    yield from differ("features", features, metadata.FEATURES)
    namespaces = tuple(words(row[0])[0] for row in found["namespace"])
    yield from differ("namespaces", namespaces, header.NAMESPACES)
    listed = re.search(r"- the dtype is (.*?);", spec)
    optional = words(listed[1]) if listed else ()
    yield from differ("dtypes of optional tensors", set(optional), set(header.OPTIONAL_DTYPES))
    listed = re.search(r"for each of the keys (.*?) that the file has", spec, re.DOTALL)
    yield from differ(
        "keys of vectors_digest", words(listed[1]) if listed else (), metadata.DECISIVE_KEYS
    )
    listed = re.search(r"for each of the tensors (.*?) that the file has", spec, re.DOTALL)
    yield from differ(
        "tensors of vectors_digest",
        words(listed[1]) if listed else (),
        tuple(sorted(header.TENSORS)),
    )


def check_heads(found: dict[str, list[list[str]]]) -> Iterator[str]:
    """Compare section 6.4 with the code."""
    tensors = {
        words(name)[0].removeprefix("head.NAME."): words(dtype)
        for name, dtype, _, _ in found["head tensor"]
    }
    yield from differ("tensors of a head", tensors, heads.HEAD_TENSORS)
    members = {words(row[0])[0]: row[1] for row in found["member"]}
    kinds = words(members["kind"])
    yield from differ("kinds of heads", kinds, get_args(heads.HeadKind))
    low, high = heads.TEMPERATURES
    spelled = f"from {low:f} to {high:.0f};" in members["temperature"]
    yield from differ("range of the temperature", spelled, True)


def codes_of(root: type[Any]) -> set[str]:
    """Collect the codes of all subclasses of a class."""
    below = set(root.__subclasses__())
    return {kind.code for kind in below}.union(*(codes_of(kind) for kind in below))


def check_codes(rows: list[list[str]]) -> Iterator[str]:
    """Compare section 13.3 with the error classes, the cases and the minimal adapters."""
    when = {words(row[0])[0]: row[1] if len(row) == 3 else "" for row in rows}
    files = {code for code, check in when.items() if check}
    requests = set(when) - files
    yield from differ("file errors", sorted(files), sorted(codes_of(errors.FormatError)))
    yield from differ("request errors", sorted(requests), sorted(codes_of(errors.RequestError)))
    covered: set[str] = set()
    for path in sorted((HERE / "vectors").glob("*/*.json")):
        for case in json.loads(path.read_text(encoding="ascii"))["cases"]:
            if "code" not in case:
                continue
            covered.add(case["code"])
            for code in [case["code"], *case.get("also", ())]:
                if code not in when:
                    yield f"{case['id']}: no code {code} in SPEC.md"
            check = "deferred" if "deferred" in case["flags"] else "opening"
            if path.parent.name == "invalid" and check not in when.get(case["code"], ""):
                yield f"{case['id']}: {case['code']} is {check}, SPEC.md has it otherwise"
    yield from (f"{code}: no case expects it" for code in sorted(set(when) - covered))
    for name in ("minimal.py", "minimal.mjs"):
        source = (HERE / "adapters" / name).read_text(encoding="utf-8")
        calls = re.findall(r"\b(?:refuse|decode|loads)\((.*)\)", source)
        given = set(re.findall(r'"([a-z0-9]+(?:_[a-z0-9]+)+)"', " ".join(calls)))
        for code in sorted(set(when) - {"request_text_invalid"}):
            if f'"{code}"' not in source:
                yield f"{name}: never refuses with {code}"
        for code in sorted(given - set(when) - set(metadata.METADATA_KEYS)):
            yield f"{name}: refuses with {code}, which SPEC.md lacks"


def main() -> int:
    """Check the specification, print the differences, and return the exit status."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "SPEC.md"
    spec = path.read_text(encoding="utf-8")
    found = tables(spec)
    wrong = [
        *check_metadata(spec, [row for row in found["key"] if len(row) == 4]),
        *check_tensors(spec, found),
        *check_heads(found),
        *check_codes(found["code"]),
    ]
    for line in wrong:
        print(line.encode("ascii", "backslashreplace").decode())  # for consoles of any encoding
    print(f"{path.name}: {len(wrong)} differences from the code, the cases and the adapters")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
