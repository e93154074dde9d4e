"""Fake adapters, each broken in one way after a smoke step that goes well: `adapter.py MODE`.

They are `minimal.py` with one thing changed, as an implementer's mistake would change it.
"""

import dataclasses
import json
import os
import re
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "conformance"))

from adapters import minimal

MODE = sys.argv[1]
right_answer, right_verify, right_embed = minimal.answer, minimal.verify, minimal.embed
right_check, right_measure = minimal.check_tensors, minimal.measure
right_space_of = minimal.space_of
right_head_of = minimal.head_of


def say(reply):
    print(reply if isinstance(reply, str) else json.dumps(reply), flush=True)


def reply_to(message):
    """The answer, and what is broken about it."""
    reply = right_answer(message)
    refused = "rejected" in reply
    name = {"id": message["id"]}
    if MODE == "crashes_instead_of_refusing" and refused:
        os._exit(70)
    if MODE == "aborts_instead_of_refusing" and refused:
        os.abort()
    if MODE == "calls_errors_refusals" and refused:
        return name | {"rejected": {"code": "internal_error"}}
    if MODE == "reports_errors" and refused:
        return name | {"errored": {"why": "index out of bounds"}}
    if MODE == "one_code_for_all" and refused:
        return name | {"rejected": {"code": "header_not_json"}}
    if MODE == "accepts_everything" and refused:
        return name | {"result": {"vector": "00000000", "parts": {}}}
    if MODE == "refuses_everything":
        return name | {"rejected": {"code": "header_not_json"}}
    if MODE == "skips_everything":
        return name | {"skipped": {"why": "not today"}}
    if MODE == "hangs":
        time.sleep(3600)
    if MODE == "ends_early":
        sys.exit(0)
    if MODE == "crashes":
        sys.exit(3)
    if MODE == "closes_its_output":
        os.close(1)
        time.sleep(3600)
    if MODE == "prints_garbage":
        return "loading model..."
    if MODE == "prints_half_a_line":
        print(json.dumps(reply)[:20], end="", flush=True)
        sys.exit(0)
    if MODE == "answers_twice":
        say(reply)
    if MODE == "forgets_the_id":
        del reply["id"]
    if MODE == "two_outcomes":
        reply |= {"rejected": {"code": "header_not_json"}, "result": {}}
    return break_result(reply)


def break_result(reply):
    if MODE == "ignores_optional_parts" and "parts" in reply.get("result", {}):
        del reply["result"]["parts"]["optional"], reply["result"]["parts"]["prompts"]
    if MODE == "garbles_optional_parts" and "parts" in reply.get("result", {}):
        for each in reply["result"]["parts"]["optional"].values():
            each["shape"] = each["shape"][::-1]
    vector = reply.get("result", {}).get("vector")
    if vector is None:
        if MODE == "wrong_parts" and "result" in reply:
            reply["result"]["parts"]["normalize"] ^= True
        return reply
    numbers = struct.unpack(f"<{len(vector) // 8}f", bytes.fromhex(vector))
    if MODE == "too_inexact":
        numbers = [1.0005 * x for x in numbers]
    if MODE == "not_a_number":
        numbers = [float("nan")] * len(numbers)
    if MODE == "cuts_short":
        numbers = numbers[:-1]
    if MODE == "big_endian":
        return reply | {"result": {"vector": struct.pack(f">{len(numbers)}f", *numbers).hex()}}
    return reply | {"result": {"vector": struct.pack(f"<{len(numbers)}f", *numbers).hex()}}


def break_implementation():
    """Mistakes within the implementation."""
    if MODE == "never_verifies":
        minimal.verify = lambda file: None
    if MODE == "ignores_scale":
        right_row = minimal.row_of

        def row_of(file, token):
            file.scale = None
            return right_row(file, token)

        minimal.row_of = row_of
    changes = {
        "never_normalizes": lambda file, request: request.update(normalize=False),
        "ignores_overrides": lambda file, request: [
            request.pop(key, None) for key in ("normalize", "pooling")
        ],
        "ignores_damping": lambda file, request: request.update(pooling="mean"),
        "ignores_the_prefix": lambda file, request: request.pop("dim", None),
        "keeps_unknown_tokens": lambda file, request: file.metadata.pop("unknown_token_id", None),
        "ignores_max_tokens": lambda file, request: file.metadata.pop("max_tokens", None),
        "ignores_weights": lambda file, request: setattr(file, "weights", None),
        "embeds_every_document": lambda file, request: request.pop("kind", None),
    }
    break_reader()
    break_space()
    break_heads()
    if MODE in changes:

        def embed(file, tokens, request):
            changes[MODE](file, request)
            return right_embed(file, tokens, request)

        minimal.embed = embed
    if MODE == "wraps_token_ids":
        minimal.embed = lambda file, tokens, request: right_embed(
            file, [t % file.n_token_ids for t in tokens], request
        )
    if MODE == "clamps_the_prefix":

        def clamped(file, tokens, request):
            if "dim" in request:
                request["dim"] = min(max(request["dim"], 1), file.shape[1])
            return right_embed(file, tokens, request)

        minimal.embed = clamped


def break_space():
    """Mistakes with the part `space`."""
    if MODE == "ignores_the_offset":

        def space_of(file):
            space = right_space_of(file)
            return space and dataclasses.replace(space, offset=(0.0,) * space.dimension)

        minimal.space_of = space_of
    if MODE == "trusts_the_space":

        def trusted(file):
            space, length = right_space_of(file), 4 * file.shape[1]
            if space is None and "space" in file.metadata:
                return minimal.Space(4, "table", (1.0,) * length, (0.0,) * 4)
            return space

        minimal.space_of = trusted


def break_heads():
    """Mistakes with the part `head`."""

    def without(member):
        def head_of(file, name):
            head = right_head_of(file, name)
            return head and dataclasses.replace(
                head, members={k: v for k, v in head.members.items() if k != member}
            )

        return head_of

    if MODE == "forgets_the_temperature":
        minimal.head_of = without("temperature")
    if MODE == "forgets_the_hidden_zero":
        minimal.max = lambda *values: values[1] if len(values) == 2 else max(*values)
    if MODE == "takes_labels_at_their_threshold":

        def lower(file, name):
            head = right_head_of(file, name)
            return head and dataclasses.replace(
                head, thresholds=tuple(x - 1e-9 for x in head.thresholds)
            )

        minimal.head_of = lower
    if MODE == "takes_the_last_of_equal_labels":

        def turned(file, name):
            head = right_head_of(file, name)
            return head and dataclasses.replace(head, labels=head.labels[::-1])

        minimal.head_of = turned
    if MODE == "trusts_the_head":

        def trusted(file, name):
            head = right_head_of(file, name)
            if head is None and f"head.{name}" in file.metadata:
                return right_head_of(file, "good")
            return head

        minimal.head_of = trusted


def break_reader():
    """Mistakes of the opening checks and of the verification."""
    if MODE == "refuses_optional_tensors":
        minimal.OPTIONAL_NAME = "(?!)"
    if MODE == "lets_unknown_tensors_in":
        minimal.OPTIONAL_NAME = "(?s:.*)"
    if MODE == "ignores_the_spelling_of_prompts":
        minimal.prompts_of = lambda values: {}
    if MODE == "never_looks_at_optional_tensors":

        def check_tensors(entries, data_bytes):
            for name in entries.keys() - minimal.ALLOWED:
                del entries[name]
            right_check(entries, max(int(entry["data_offsets"][1]) for entry in entries.values()))

        minimal.check_tensors = check_tensors
    if MODE == "never_checks_the_vectors_digest":

        def verify(file):
            try:
                right_verify(file)
            except minimal.Refused as refusal:
                if refusal.code != "vectors_digest_mismatch":
                    raise

        minimal.verify = verify
    if MODE == "scans_a_string_again_and_again":

        def measure(text):
            re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)
            right_measure(text)

        minimal.measure = measure


def main():
    before = None
    for line in sys.stdin:
        message = json.loads(line)
        if message["op"] == "start":
            hello = right_answer(message)
            if MODE == "old_protocol":
                hello["protocol"] = 0
            if MODE == "no_greeting":
                sys.exit(0)
            if MODE == "nothing_to_offer":
                hello["classes"] = []
            say(hello)
        elif message["op"] == "stop":
            if MODE == "never_stops":
                time.sleep(3600)
            sys.exit(4 if MODE == "stops_badly" else 0)
        elif message["id"].startswith("smoke/") and not MODE.startswith("smoke_"):
            say(right_answer(message))
        elif MODE == "smoke_accepts":
            say({"id": message["id"], "result": right_answer(message).get("result", {})})
        elif MODE == "smoke_refuses":
            say({"id": message["id"], "rejected": {"code": "header_not_json"}})
        elif MODE == "smoke_crashes":
            sys.exit(3)
        elif MODE == "answers_out_of_order":
            say(right_answer(before or message | {"id": "none"}))
            before = message
        else:
            break_implementation()
            say(reply_to(message))


main()
