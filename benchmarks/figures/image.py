"""The size of what the Dockerfile installs."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a sentence."""
    sizes, made = content["results"]["bytes"], content["environment"]
    total, numpy, ours = sum(sizes.values()), sizes["numpy"], sizes["staticemb-runtime"]
    return (
        f"The {len(sizes)} packages are {total / 1e6:.0f} MB, {numpy / 1e6:.0f} of them numpy and "
        f"{ours / 1e6:.0f} the wheel with its model: the bytes of the files that the Dockerfile's "
        f"steps install (`python benchmarks/image.py`, {made['system']} {made['architecture']}, "
        f"Python {made['python']}, {drawing.commits(content)}, {made['date']}). "
        "The base image comes on top."
    )
