"""Filters on the metadata of documents, as conditions of SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import InvalidOptionError
from ..format.surrogates import lone_surrogate

_COMPARISONS: Final = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "!=": "IS NOT"}
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # SQLite before 3.43 finds no such key
_MOST_PARAMETERS: Final = 900  # older versions of SQLite take at most 999


def condition(filter: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Turn a filter into a condition on the column `metadata`, and its parameters.

    Args:
        filter: for each key of the metadata a value that it must have, a list of such values, or a
            mapping of `<`, `<=`, `>`, `>=`, `!=` to a value. All must hold. Values are strings,
            numbers, True, False or None, which also stands for a missing key. A comparison holds
            only between two numbers or two strings.

    Raises:
        InvalidOptionError: the filter has another form.

    Example:
        >>> condition({"year": {">=": 2020}})[1]
        ['$."year"', 2020, '$."year"']
    """
    if not isinstance(filter, Mapping):
        raise _error("a mapping", filter)
    clauses: list[str] = []
    parameters: list[Any] = []
    for key, wanted in filter.items():
        if not isinstance(key, str) or _ESCAPED.search(key):
            raise _error("keys that are strings without quotes, backslashes and controls", key)
        path = f'$."{key}"'
        if isinstance(wanted, Mapping):
            pairs = [(_operator(name), value) for name, value in wanted.items()]
            terms = [_term(path, *pair) for pair in pairs]
            clauses.append(f"({' AND '.join(sql for sql, _ in terms) or '1'})")
        else:
            terms = _one_of(path, list(wanted) if _is_list(wanted) else [wanted])
            clauses.append(f"({' OR '.join(sql for sql, _ in terms) or '0'})")
        parameters += [value for _, values in terms for value in values]
    if len(parameters) > _MOST_PARAMETERS:
        raise InvalidOptionError(
            f"filter: expected at most {_MOST_PARAMETERS} parameters of SQL, about two a key and "
            f"one a value, found {len(parameters)}"
        )
    return " AND ".join(clauses) or "1", parameters


def _is_list(value: object) -> bool:
    return isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (str, bytes))


def _operator(name: object) -> str:
    if not isinstance(name, str) or name not in _COMPARISONS:
        raise _error("one of " + " ".join(_COMPARISONS), name)
    return _COMPARISONS[name]


def _one_of(path: str, wanted: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Return conditions, each with its parameters, of which one must hold."""
    terms: list[tuple[str, list[Any]]] = []
    values: dict[str, list[Any]] = {}
    for value in wanted:
        if value is None:
            terms.append(("json_extract(metadata, ?) IS NULL", [path]))
        elif isinstance(value, bool):
            terms.append(_term(path, "IS", value))
        else:
            values.setdefault(_kinds(value), []).append(value)
    for kinds, members in values.items():
        # One list, not an OR for each: SQLite limits the depth of expressions.
        marks = ", ".join("?" * len(members))
        sql = f"(json_extract(metadata, ?) IN ({marks}) AND json_type(metadata, ?) IN {kinds})"
        terms.append((sql, [path, *members, path]))
    return terms


def _term(path: str, operator: str, value: object) -> tuple[str, list[Any]]:
    """Return the condition on one value, and its parameters."""
    if value is None:
        return f"json_extract(metadata, ?) {operator} NULL", [path]
    if isinstance(value, bool):  # JSON's true and false are 1 and 0 in SQL
        if not operator.startswith("IS"):
            return "0", []
        sql = f"json_type(metadata, ?) {operator} ?"
        return sql, [path, "true" if value else "false"]
    kinds = _kinds(value)
    if operator == "IS NOT":
        sql = f"(json_extract(metadata, ?) IS NOT ? OR json_type(metadata, ?) NOT IN {kinds})"
        return sql, [path, value, path]
    return (
        f"(json_extract(metadata, ?) {operator} ? AND json_type(metadata, ?) IN {kinds})",
        [path, value, path],
    )


def _kinds(value: object) -> str:
    """Check a string or a number, and return the types in JSON that it compares with."""
    if not isinstance(value, (str, int, float)):
        raise _error("strings, numbers, True, False or None as values", value)
    if isinstance(value, str) and lone_surrogate(value):
        raise _error("valid Unicode", value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _error("integers of 64 bits", value)
    return "('text')" if isinstance(value, str) else "('integer', 'real')"


def _error(expected: str, found: object) -> InvalidOptionError:
    return InvalidOptionError(f"filter: expected {expected}, found {found!r:.80}")
