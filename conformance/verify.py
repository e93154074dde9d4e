"""Check the vectors with a second implementation, which shares no code with generate.py.

    python verify.py [FOLDER]       the default folder is vectors/ next to this file

The script validates every case file against its schema, reads every file (adapters/minimal.py),
and computes every expected vector and tolerance again by plain loops, in binary64.
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
    """Yield the violations of a JSON Schema, for the keywords that this suite's schemas use."""
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
    """Return the path of a case's file; assemble the file if it is not stored."""
    if "assemble" not in members:
        return path.parent / str(members["file"])
    target = scratch / f"{path.parent.name}-{path.stem}.staticemb"
    if not target.exists():
        pieces = (bytes.fromhex(p["hex"]) * p.get("times", 1) for p in members["assemble"])
        target.write_bytes(b"".join(pieces))
    return target


def tokens_of(case: dict[str, Any]) -> list[int]:
    """Return a case's token ids, with runs expanded."""
    if "tokens" in case:
        return list(case["tokens"])
    return [token for token, count in case["runs"] for _ in range(count)]


def embed(
    file: minimal.ModelParts, tokens: list[int], request: dict[str, Any]
) -> tuple[list[float], float]:
    """Compute the vector and its tolerance by loops (SPEC 8 and 9)."""
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


def project(
    file: minimal.ModelParts, vector: tuple[float, ...], request: dict[str, Any]
) -> tuple[list[float], float]:
    """Compute the vector of a teacher's vector, and its tolerance, by loops (SPEC 6.3 and 9)."""
    space, dim = minimal.space_of(file), file.shape[1]
    assert space is not None
    length = request.get("dim", dim)
    norm = math.hypot(*vector)
    projected, sizes = [0.0] * length, [0.0] * length
    for i, y in enumerate(vector):
        if norm == 0:
            break
        for j in range(length):
            p = space.projection[i * dim + j]
            projected[j] += (y / norm - space.offset[i]) * p
            sizes[j] += (abs(y) / norm + abs(space.offset[i])) * abs(p)
    if not any(projected):
        return projected, 0.0
    tolerance = 1e-5 * max(sizes)
    if request.get("normalize", file.metadata["normalize"] == "true"):
        norm = math.hypot(*projected)
        return [x / norm for x in projected], tolerance / norm + 1e-6
    return projected, max(tolerance, 1e-30)


def classify(
    file: minimal.ModelParts, tokens: list[int], request: dict[str, Any]
) -> tuple[list[float], float]:
    """Compute the scores, or logits, of a head and their tolerance, by loops (SPEC 6.4 and 9)."""
    head = minimal.head_of(file, request["head"])
    assert head is not None
    asked: dict[str, Any] = {"dim": head.layers[0][0]}
    asked["normalize"] = head.members["normalize"] == "true"
    if head.members.get("pooling") == "mean":
        asked["pooling"] = "mean"
    values, tolerance = embed(file, tokens, asked)
    errors = [tolerance] * len(values)
    for at, (columns, weights, biases) in enumerate(head.layers):
        if at:
            values = [x if x > 0 else 0.0 for x in values]
        outputs, widened = [], []
        for k, bias in enumerate(biases):
            total, size, error = bias, abs(bias), 0.0
            for j in range(columns):
                w = weights[k * columns + j]
                total += w * values[j]
                size += abs(w * values[j])
                error += abs(w) * errors[j]
            outputs.append(total)
            widened.append(error + 1e-5 * size)
        values, errors = outputs, widened
    tolerance = max(1e-30, *errors)
    kind, warmth = head.members["kind"], float(head.members.get("temperature", "1"))
    if kind == "linear" or request.get("output") == "logits":
        return values, tolerance
    tolerance = min(1.0, tolerance / (2 * warmth) + 1e-6)
    if kind == "sigmoid":
        return [(1 + math.tanh(z / warmth / 2)) / 2 for z in values], tolerance
    largest = max(values)
    total = sum(math.exp((z - largest) / warmth) for z in values)
    return [math.exp((z - largest) / warmth) / total for z in values], tolerance


def numbers_of(digits: str) -> tuple[float, ...]:
    """Decode little-endian binary32 numbers in hexadecimal."""
    packed = bytes.fromhex(digits)
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def damping(
    table: dict[int, list[float]], ids: list[int], values: dict[str, str]
) -> tuple[dict[int, float], float]:
    """Compute the factor a_i of each token (section 8), and β·κ (section 9)."""
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
    """Yield the faults of a case's expected vector, tolerance and flags."""
    expected = numbers_of(case["expected"]["hex"])
    decimal = case["expected"]["decimal"]
    if [struct.pack("<f", x) for x in decimal] != [struct.pack("<f", x) for x in expected]:
        yield "hex and decimals differ"
    if "vector" in case:
        vector, tolerance = project(file, numbers_of(case["vector"]), case["request"])
    elif case["class"] == "classifier":
        vector, tolerance = classify(file, case["tokens"], case["request"])
        _, labels = minimal.classify(file, case["tokens"], case["request"])
        if labels != case["expected"].get("labels", labels):
            yield f"answer {case['expected']['labels']}, computed {labels}"
    else:
        vector, tolerance = embed(file, tokens_of(case), case["request"])
    if abs(tolerance - case["tolerance"]) > 0.01 * tolerance:
        yield f"tolerance {case['tolerance']}, computed {tolerance}"
    if len(vector) != len(expected):
        yield f"{len(expected)} elements, computed {len(vector)}"
    for x, y in zip(vector, expected, strict=False):
        # Both implementations compute in binary64, so they differ by far less than the tolerance.
        # The expected vector is also rounded to binary32.
        if abs(x - y) > 1e-3 * tolerance + 2**-23 * abs(x) + 2**-149:
            yield f"{y} expected, computed {x}"
    ill = tolerance > 1e-3 * max(map(abs, vector))
    if ("ill-conditioned" in case["flags"]) != ill:
        yield "wrongly flagged"


def code_of(path: Path, verify: bool) -> str | None:
    """Return the code of a file's refusal; None if the file is accepted."""
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
    """Yield the faults of a case."""
    kind = path.parent.name
    where = file_of(path, case if kind == "requests" else members, scratch)
    if kind == "invalid":
        allowed = [case["code"], *case.get("also", [])]
        deferred = "deferred" in case["flags"]
        if case["class"] == "text":  # only implementations that build the tokenizer refuse it
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
                if case["class"] == "classifier":
                    minimal.classify(file, case["tokens"], case["request"])
                elif "vector" in case:
                    minimal.project(file, numbers_of(case["vector"]), case["request"])
                else:
                    tokens = [] if "text" in case else tokens_of(case)
                    minimal.embed(file, tokens, case["request"])
                found = "none"
            except minimal.Refused as refusal:
                found = refusal.code
        if found != case["code"]:
            yield f"{case['code']} expected, refused with {found}"
    elif case["class"] == "reader":
        minimal.verify(file)
        if minimal.parts(file) != case["parts"]:
            yield f"read as {minimal.parts(file)}"
    else:
        yield from check_vector(file, case)


def verify(folder: Path) -> tuple[int, list[str]]:
    """Check every case below a folder; return the number of cases and the faults."""
    wrong: list[str] = []
    seen: set[str] = set()
    used: set[Path] = set()
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.glob("*/*.json")):
            members = json.loads(path.read_text(encoding="ascii"))
            schema = json.loads((HERE / "schema" / f"{path.parent.name}.json").read_text())
            violations = [*breaches(members, schema)]
            if violations:
                wrong += [f"{path}: {violation}" for violation in violations]
                continue
            used.add(path.parent / str(members.get("file")))
            for case in members["cases"]:
                name = f"{path.parent.name}/{path.stem}"
                if case["id"] in seen or not f"{case['id']}/".startswith(f"{name}/"):
                    wrong.append(f"{path}: id {case['id']}")
                seen.add(case["id"])
                wrong += [f"{case['id']}: {w}" for w in check(path, members, case, Path(scratch))]
    unused = set(folder.glob("*/*.staticemb")) - used
    wrong += [f"{path}: no case uses it" for path in sorted(unused)]
    return len(seen), wrong


def main() -> int:
    """Check every case, print the faults, and return the exit status."""
    count, wrong = verify(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "vectors")
    for line in wrong:
        print(line.encode("ascii", "backslashreplace").decode())  # for consoles of any encoding
    print(f"{count} cases, {len(wrong)} faults")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
