"""Files whose metadata are misspelled, out of range or inconsistent (SPEC 5 and 12)."""

from __future__ import annotations

from collections.abc import Iterator

from generator.faults import Invalid, base
from generator.files import compact, tensor

INVALID = "invalid_metadata"
INCONSISTENT = "inconsistent_metadata"
DAMPED = {"damping": "1 2"}

# name, code, changed keys (None removes the key), the fault in words; V = 4 and D = 2.
CHANGES: list[tuple[str, str, dict[str, str | None], str]] = [
    ("format_missing", "not_staticemb", {"format": None}, "No format."),
    ("format_other", "not_staticemb", {"format": "pt"}, "Another format."),
    ("format_case", "not_staticemb", {"format": "StaticEmb"}, "The format in capitals."),
    ("version_2", "unsupported_version", {"format_version": "2.0"}, "A later major version."),
    ("version_0", "unsupported_version", {"format_version": "0.9"}, "An earlier major version."),
    ("version_10", "unsupported_version", {"format_version": "10.0"}, "Two digits."),
    ("version_1", INVALID, {"format_version": "1"}, "No minor version."),
    ("version_1_0_0", INVALID, {"format_version": "1.0.0"}, "A third number."),
    ("version_1_00", INVALID, {"format_version": "1.00"}, "A leading zero."),
    ("version_01_0", INVALID, {"format_version": "01.0"}, "A leading zero."),
    ("version_space", INVALID, {"format_version": "1.0 "}, "A space behind it."),
    ("version_newline", INVALID, {"format_version": "1.0\n"}, "A line feed behind it."),
    ("feature_unknown", "unsupported_feature", {"features": "phrases"}, "A reserved feature."),
    ("feature_experiment", "unsupported_feature", {"features": "x-mine"}, "An experiment."),
    ("feature_case", "unsupported_feature", {"features": "Damped_mean"}, "Another case."),
    ("features_leading_space", INVALID, {"features": " damped_mean", **DAMPED}, "A space first."),
    ("features_trailing_space", INVALID, {"features": "damped_mean ", **DAMPED}, "A space last."),
    ("features_space", INVALID, {"features": " "}, "A space alone."),
    ("features_twice", INVALID, {"features": "damped_mean damped_mean", **DAMPED}, "One twice."),
    ("features_without_damping", INCONSISTENT, {"features": "", **DAMPED}, "It lacks pooling's."),
    ("features_damping", INCONSISTENT, {"features": "damped_mean"}, "Pooling is the plain mean."),
    ("dim_other", INCONSISTENT, {"dim": "3", "prefixes": "3"}, "D is 2."),
    ("dim_leading_zero", INVALID, {"dim": "02"}, "A leading zero."),
    ("dim_plus", INVALID, {"dim": "+2"}, "A sign."),
    ("dim_exponent", INVALID, {"dim": "2e0"}, "An exponent."),
    ("dim_fraction", INVALID, {"dim": "2.0"}, "A fraction."),
    ("dim_space", INVALID, {"dim": " 2"}, "A space."),
    ("dim_underscore", INVALID, {"dim": "2_0"}, "An underscore."),
    ("dim_other_digits", INVALID, {"dim": "٢"}, "An Arabic digit."),
    ("dim_hexadecimal", INVALID, {"dim": "0x2"}, "Hexadecimal."),
    ("dim_empty", INVALID, {"dim": ""}, "Nothing."),
    ("dim_17_digits", INVALID, {"dim": "10000000000000002"}, "More than 16 digits."),
    ("prefixes_empty", INVALID, {"prefixes": ""}, "No prefix."),
    ("prefixes_comma", INVALID, {"prefixes": "1,2"}, "A comma between items."),
    ("prefixes_two_spaces", INVALID, {"prefixes": "1  2"}, "Two spaces between items."),
    ("prefixes_tab", INVALID, {"prefixes": "1\t2"}, "A tab between items."),
    ("prefixes_zero", INVALID, {"prefixes": "0 2"}, "A prefix of 0."),
    ("prefixes_twice", INVALID, {"prefixes": "2 2"}, "A prefix twice."),
    ("prefixes_leading_zero", INVALID, {"prefixes": "01 2"}, "A leading zero."),
    ("prefixes_short", INCONSISTENT, {"prefixes": "1"}, "The last is not D."),
    ("prefixes_long", INCONSISTENT, {"prefixes": "2 3"}, "The last is above D."),
    ("normalize_capital", INVALID, {"normalize": "True"}, "A capital."),
    ("normalize_number", INVALID, {"normalize": "1"}, "A number."),
    ("pooling_unknown", INVALID, {"pooling": "max"}, "A pooling that does not exist."),
    ("digest_short", INVALID, {"digest": "sha256:" + "0" * 63}, "63 digits."),
    ("digest_capitals", INVALID, {"digest": "sha256:" + "A" * 64}, "Capital digits."),
    ("digest_other", INVALID, {"digest": "md5:" + "0" * 32}, "Another algorithm."),
    ("vectors_digest_short", INVALID, {"vectors_digest": "sha256:" + "1" * 63}, "63 digits."),
    ("vectors_digest_capitals", INVALID, {"vectors_digest": "sha256:" + "A" * 64}, "Capitals."),
    ("beta_with_mean", INCONSISTENT, {"damping_beta": "1"}, "Pooling is the plain mean."),
    ("dims_with_mean", INCONSISTENT, {"damping_dims": "1"}, "Pooling is the plain mean."),
    ("beta_missing", "missing_metadata", {**DAMPED, "damping_beta": None}, "No damping_beta."),
    ("dims_missing", "missing_metadata", {**DAMPED, "damping_dims": None}, "No damping_dims."),
    ("beta_above_16", INVALID, {"damping": "16.5 2"}, "Above its range."),
    ("beta_negative", INVALID, {"damping": "-1 2"}, "Below its range."),
    ("beta_trailing_zero", INVALID, {"damping": "1.50 2"}, "A needless zero."),
    ("beta_fraction_zero", INVALID, {"damping": "1.0 2"}, "A needless fraction."),
    ("beta_exponent", INVALID, {"damping": "1e0 2"}, "An exponent."),
    ("beta_no_integer", INVALID, {"damping": ".5 2"}, "No digit before the point."),
    ("beta_no_fraction", INVALID, {"damping": "1. 2"}, "No digit behind the point."),
    ("beta_comma", INVALID, {"damping": "0,5 2"}, "A comma."),
    ("beta_leading_zero", INVALID, {"damping": "00.5 2"}, "A leading zero."),
    ("beta_nan", INVALID, {"damping": "nan 2"}, "Not a number."),
    ("beta_16_places", INVALID, {"damping": "0.0000000000000001 2"}, "16 digits of fraction."),
    ("dims_zero", INVALID, {"damping": "1 0"}, "Below its range."),
    ("dims_above_dim", INVALID, {"damping": "1 3"}, "Above D."),
    ("dims_fraction", INVALID, {"damping": "1 1.0"}, "A fraction."),
    ("max_tokens_zero", INVALID, {"max_tokens": "0"}, "Below its range."),
    ("max_tokens_negative", INVALID, {"max_tokens": "-1"}, "A sign."),
    ("max_tokens_2_to_31", INVALID, {"max_tokens": "2147483648"}, "Above its range."),
    ("max_tokens_exponent", INVALID, {"max_tokens": "1e3"}, "An exponent."),
    ("unknown_token_id_v", INVALID, {"unknown_token_id": "4"}, "An id of V."),
    ("unknown_token_id_leading_zero", INVALID, {"unknown_token_id": "01"}, "A leading zero."),
    ("unknown_token_id_plus", INVALID, {"unknown_token_id": "+1"}, "A sign."),
    ("unknown_token_id_none", INVALID, {"unknown_token_id": "none"}, "A word."),
    ("unknown_token_id_minus_zero", INVALID, {"unknown_token_id": "-0"}, "A sign."),
    ("prompts_empty", INVALID, {"prompts": ""}, "Nothing."),
    ("prompts_not_json", INVALID, {"prompts": "query: "}, "No JSON."),
    ("prompts_array", INVALID, {"prompts": '["query"]'}, "An array."),
    ("prompts_null", INVALID, {"prompts": '{"query":null}'}, "A text that is null."),
    ("prompts_number", INVALID, {"prompts": '{"query":1}'}, "A text that is a number."),
    ("prompts_object", INVALID, {"prompts": '{"query":{}}'}, "A text that is an object."),
    ("prompts_space", INVALID, {"prompts": '{"query": "q: "}'}, "White space outside strings."),
    ("prompts_order", INVALID, {"prompts": '{"query":"","document":""}'}, "Names descend."),
    ("prompts_order_astral", INVALID, {"prompts": '{"\U0001f408":"","\uff21":""}'},
     "Names ascend by 16-bit code unit, not by code point."),
    ("prompts_twice", INVALID, {"prompts": '{"query":"a","query":"b"}'}, "A name twice."),
    ("prompts_escape", INVALID, {"prompts": '{"query":"\\u0071"}'}, "A needless escape."),
    ("prompts_escaped_slash", INVALID, {"prompts": '{"query":"\\/"}'}, "A needless escape."),
    ("prompts_capital_escape", INVALID, {"prompts": '{"query":"\\u001F"}'}, "Capital digits."),
    ("prompts_long_escape", INVALID, {"prompts": '{"query":"\\u000a"}'}, "A longer escape."),
    ("prompts_surrogate", INVALID, {"prompts": '{"query":"\\ud800"}'}, "Half a surrogate pair."),
    ("prompts_deep", INVALID, {"prompts": "[" * 100_000}, "So deep that a parser which recurses "
     "runs out of stack."),
    ("prompts_name_empty", INVALID, {"prompts": '{"":"a"}'}, "A name of no character."),
    ("prompts_name_long", INVALID, {"prompts": f'{{"{"ä" * 129}":"a"}}'}, "A name of 258 bytes."),
    ("prompts_text_long", INVALID, {"prompts": f'{{"query":"{"a" * 16_385}"}}'}, "A text of "
     "16,385 bytes."),
    ("prompts_257", INVALID, {"prompts": compact({f"p{i:03}": "" for i in range(257)})},
     "One more than the limit."),
    ("languages_two_spaces", INVALID, {"languages": "de  en"}, "Two spaces between items."),
    ("languages_trailing_space", INVALID, {"languages": "de "}, "A space at the end."),
]  # fmt: skip
NEEDED = ("format_version", "features", "dim", "prefixes", "normalize", "pooling", "digest",
          "vectors_digest")  # fmt: skip


def misspelled() -> Iterator[Invalid]:
    """Yield every file with a fault in its metadata."""
    for key in NEEDED:
        # These files have plain pooling: damping keys without `pooling` would be a second fault.
        yield _changed(f"{key}_missing", "missing_metadata", {key: None}, f"No {key}.")
    for name, code, changes, notes in CHANGES:
        yield _changed(name, code, changes, notes)
    yield from _newer()


def _newer() -> Iterator[Invalid]:
    """Yield files as later versions may have them; their only fault is the newer version."""
    for name, code, changes in (
        ("version_2_tensor", "unsupported_version", {"format_version": "2.0"}),
        ("feature_tensor", "unsupported_feature", {"format_version": "1.1", "features": "phrases"}),
    ):
        made = base()
        made.metadata |= changes
        made.tensors["phrases"] = tensor("F32", [0.0, 0.0])
        notes = "A tensor that 1.0 does not have, in a file that says it is newer."
        yield Invalid(f"metadata_{name}", code, notes, made.build())
    changes = {"format_version": "2.0", "dim": "two", "prefixes": ""}
    notes = "Keys with another meaning than in 1.0, in a file that says it is newer."
    yield _changed("version_2_keys", "unsupported_version", changes, notes)
    changes = {"format_version": "1.1", "features": "elementwise", "pooling": "max"}
    notes = "A pooling that 1.0 does not have, in a file that says it is newer."
    yield _changed("feature_pooling", "unsupported_feature", changes, notes)


def _changed(name: str, code: str, changes: dict[str, str | None], notes: str) -> Invalid:
    damping = changes.get("damping")
    made = base(**({"damping": damping} if damping else {}))
    for key, value in changes.items():
        if value is None:
            del made.metadata[key]
        elif key != "damping":
            made.metadata[key] = value
    return Invalid(f"metadata_{name}", code, notes, made.build())
