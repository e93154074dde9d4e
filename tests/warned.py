"""What a call warns of."""

import warnings


def messages(call, category) -> list[str]:
    """The warnings of a lambda, all of one category and at a line of the lambda's file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(warning.category is category for warning in caught)
    # The caller's line is named.
    assert all(warning.filename == call.__code__.co_filename for warning in caught)
    return [str(warning.message) for warning in caught]
