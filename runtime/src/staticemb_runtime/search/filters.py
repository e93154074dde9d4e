"""Filters on the metadata of documents, as conditions of SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import InvalidOptionError

_COMPARISONS: Final = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "!=": "IS NOT"}
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # SQLite before 3.43 finds no such key
_MOST_VALUES: Final = 500  # older versions of SQLite take at most 999 parameters


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
            joined = " AND "
        else:
            values = list(wanted) if _is_list(wanted) else [wanted]
            if len(values) > _MOST_VALUES:
                raise _error(f"at most {_MOST_VALUES} values of a key", len(values))
            terms = [_term(path, "IS", value) for value in values]
            joined = " OR "
        clauses.append(
            f"({joined.join(sql for sql, _ in terms) or ('0' if joined == ' OR ' else '1')})"
        )
        parameters += [value for _, values in terms for value in values]
    return " AND ".join(clauses) or "1", parameters


def _is_list(value: object) -> bool:
    return isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (str, bytes))


def _operator(name: object) -> str:
    if not isinstance(name, str) or name not in _COMPARISONS:
        raise _error("one of " + " ".join(_COMPARISONS), name)
    return _COMPARISONS[name]


def _term(path: str, operator: str, value: object) -> tuple[str, list[Any]]:
    """Return the condition on one value, and its parameters."""
    if not (value is None or isinstance(value, (str, bool, int, float))):
        raise _error("strings, numbers, True, False or None as values", value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _error("integers of 64 bits", value)
    negated = operator == "IS NOT"
    if value is None:
        return f"json_extract(metadata, ?) {operator} NULL", [path]
    if isinstance(value, bool):  # JSON's true and false are 1 and 0 in SQL
        sql = f"json_type(metadata, ?) {operator} ?"
        return sql, [path, "true" if value else "false"]
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    if negated:
        sql = f"(json_extract(metadata, ?) IS NOT ? OR json_type(metadata, ?) NOT IN {kinds})"
        return sql, [path, value, path]
    return (
        f"(json_extract(metadata, ?) {operator} ? AND json_type(metadata, ?) IN {kinds})",
        [path, value, path],
    )


def _error(expected: str, found: object) -> InvalidOptionError:
    return InvalidOptionError(f"filter: expected {expected}, found {found!r:.80}")
