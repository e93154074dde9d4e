"""Check the vectors with a second implementation, which shares no code with generate.py.

    python verify.py [FOLDER]       reads vectors/ beside this file if no folder is named

Every case file is held against its schema, every file is read (adapters/minimal.py), every
expected vector and tolerance is computed again by plain loops, in binary64.
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapters import minimal

HERE = Path(__file__).parent
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def breaches(value: object, schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Where a value breaks a JSON Schema, of the words that ours use."""
    kind = schema.get("type")
    if kind and (
        not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        yield f"{at}: expected {kind}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{at}: expected {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: expected one of {schema['enum']}"
    if "anyOf" in schema and not any(not [*breaches(value, s, at)] for s in schema["anyOf"]):
        yield f"{at}: fits none of {len(schema['anyOf'])} kinds"
    if isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value) or len(value) < schema.get(
            "minLength", 0
        ):
            yield f"{at}: {value[:40]!r} does not fit"
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
            yield f"{at}: {len(value)} items"
        for i, item in enumerate(value):
            yield from breaches(item, schema.get("items", {}), f"{at}[{i}]")
    elif isinstance(value, dict):
        yield from (f"{at}: lacks {key}" for key in schema.get("required", ()) if key not in value)
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, item in value.items():
            if key not in known and others is False:
                yield f"{at}: has {key}"
            else:
                yield from breaches(item, known.get(key, others or {}), f"{at}.{key}")
    elif isinstance(value, (int, float)) and value < schema.get("minimum", -math.inf):
        yield f"{at}: {value} is too small"


def file_of(path: Path, members: dict[str, Any], scratch: Path) -> Path:
    """Where the file of a case is; put together where it is not stored."""
    if "assemble" not in members:
        return path.parent / str(members["file"])
    target = scratch / f"{path.parent.name}-{path.stem}.staticemb"
    if not target.exists():
        pieces = (bytes.fromhex(p["hex"]) * p.get("times", 1) for p in members["assemble"])
        target.write_bytes(b"".join(pieces))
    return target


def tokens_of(case: dict[str, Any]) -> list[int]:
    """A case's token ids, runs written out."""
    if "tokens" in case:
        return list(case["tokens"])
    return [token for token, count in case["runs"] for _ in range(count)]


def embed(
    file: minimal.ModelParts, tokens: list[int], request: dict[str, Any]
) -> tuple[list[float], float]:
    """The vector and its tolerance, by loops (SPEC 8 and 9)."""
    values, dim = file.metadata, file.shape[1]
    length = request.get("dim", dim)
    ids = [t for t in tokens if str(t) != values.get("unknown_token_id")]
    del ids[int(values.get("max_tokens", len(ids))) :]
    vector = [0.0] * length
    if not ids:
        return vector, 0.0
    table = {t: minimal.row_of(file, t) for t in set(ids)}
    factor = dict.fromkeys(table, 1.0)
    condition = 0.0
    if values["pooling"] == "damped_mean" and "pooling" not in request:
        factor, condition = damping(table, ids, values)
    total, sizes = 0.0, [0.0] * length
    for t in ids:
        total += factor[t]
        for j in range(length):
            vector[j] += factor[t] * table[t][j]
            sizes[j] += factor[t] * abs(table[t][j])
    vector = [x / total for x in vector]
    tolerance = 1e-5 * max(sizes) / total * (1 + condition)
    if not any(vector):
        return vector, 0.0
    if request.get("normalize", values["normalize"] == "true"):
        norm = math.hypot(*vector)
        return [x / norm for x in vector], tolerance / norm + 1e-6
    return vector, max(tolerance, 1e-30)


def damping(
    table: dict[int, list[float]], ids: list[int], values: dict[str, str]
) -> tuple[dict[int, float], float]:
    """Each token's a_i, and β·κ."""
    beta, k = float(values["damping_beta"]), int(values["damping_dims"])
    mean = [0.0] * k
    for t in ids:
        for j in range(k):
            mean[j] += table[t][j] / len(ids)
    heads = {t: math.hypot(*row[:k]) for t, row in table.items()}
    size = math.hypot(*mean)
    if size == 0:
        return dict.fromkeys(table, 1.0), beta
    factor = {}
    for t, row in table.items():
        dot = sum((x / size) * (m / (heads[t] or 1)) for x, m in zip(row, mean, strict=False))
        factor[t] = math.exp(-beta * dot)
    return factor, beta * max(1.0, sum(heads[t] for t in ids) / len(ids) / size)


def check_vector(file: minimal.ModelParts, case: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a case's expectation."""
    packed = bytes.fromhex(case["expected"]["hex"])
    expected = struct.unpack(f"<{len(packed) // 4}f", packed)
    decimal = case["expected"]["decimal"]
    if [struct.pack("<f", x) for x in decimal] != [struct.pack("<f", x) for x in expected]:
        yield "hex and decimals differ"
    vector, tolerance = embed(file, tokens_of(case), case["request"])
    if abs(tolerance - case["tolerance"]) > 0.01 * tolerance:
        yield f"tolerance {case['tolerance']}, computed {tolerance}"
    if len(vector) != len(expected):
        yield f"{len(expected)} elements, computed {len(vector)}"
    for x, y in zip(vector, expected, strict=False):
        # Both are good to many more digits than the tolerance but for the last step to binary32.
        if abs(x - y) > 1e-3 * tolerance + 2**-23 * abs(x) + 2**-149:
            yield f"{y} expected, computed {x}"
    ill = tolerance > 1e-3 * max(map(abs, vector))
    if ("ill-conditioned" in case["flags"]) != ill:
        yield "wrongly flagged"


def code_of(path: Path, verify: bool) -> str | None:
    """The code that a file is refused with."""
    try:
        file = minimal.open_file(str(path))
        if verify:
            minimal.verify(file)
    except minimal.Refused as refusal:
        return refusal.code
    return None


def check(
    path: Path, members: dict[str, Any], case: dict[str, Any], scratch: Path
) -> Iterator[str]:
    """What is wrong with a case."""
    kind = path.parent.name
    where = file_of(path, case if kind == "requests" else members, scratch)
    if kind == "invalid":
        allowed = [case["code"], *case.get("also", [])]
        deferred = "deferred" in case["flags"]
        if case["class"] == "text":  # for implementations that make a tokenizer of the file
            if code := code_of(where, verify=True):
                yield f"refused with {code}"
            return
        found = code_of(where, verify=deferred)
        if found not in allowed:
            yield f"{allowed} expected, refused with {found}"
        if deferred and code_of(where, verify=False) is not None:
            yield "refused on opening, though deferred"
        return
    if code := code_of(where, verify=True):
        yield f"refused with {code}"
        return
    file = minimal.open_file(str(where))
    if kind == "requests":
        if case["class"] == "text" and re.search("[\ud800-\udfff]", case["text"]):
            found = "request_text_invalid"
        else:
            try:
                minimal.embed(file, [] if "text" in case else tokens_of(case), case["request"])
                found = "none"
            except minimal.Refused as refusal:
                found = refusal.code
        if found != case["code"]:
            yield f"{case['code']} expected, refused with {found}"
    elif case["class"] == "reader":
        if minimal.parts(file) != case["parts"]:
            yield f"read as {minimal.parts(file)}"
    else:
        yield from check_vector(file, case)


def verify(folder: Path) -> tuple[int, list[str]]:
    """Check every case below a folder: how many there are, and what is wrong."""
    wrong: list[str] = []
    seen: set[str] = set()
    used: set[Path] = set()
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.glob("*/*.json")):
            members = json.loads(path.read_text(encoding="ascii"))
            schema = json.loads((HERE / "schema" / f"{path.parent.name}.json").read_text())
            found = [*breaches(members, schema)]
            if found:
                wrong += [f"{path}: {each}" for each in found]
                continue
            used.add(path.parent / str(members.get("file")))
            for case in members["cases"]:
                name = f"{path.parent.name}/{path.stem}"
                if case["id"] in seen or not f"{case['id']}/".startswith(f"{name}/"):
                    wrong.append(f"{path}: id {case['id']}")
                seen.add(case["id"])
                wrong += [f"{case['id']}: {w}" for w in check(path, members, case, Path(scratch))]
    lost = set(folder.glob("*/*.staticemb")) - used
    wrong += [f"{path}: no case speaks of it" for path in sorted(lost)]
    return len(seen), wrong


def main() -> int:
    """Verify and tell."""
    count, wrong = verify(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "vectors")
    for line in wrong:
        print(line.encode("ascii", "backslashreplace").decode())  # for consoles of any encoding
    print(f"{count} cases, {len(wrong)} faults")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
