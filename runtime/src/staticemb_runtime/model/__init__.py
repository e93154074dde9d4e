"""`StaticModel`: a static embedding model as an object, with the methods that its peers have.

In: a path or a name, then texts. Out: arrays of vectors. It composes, and computes nothing.
May use: all rooms up to `parallel`. Public: `StaticModel`.
"""

from .static_model import StaticModel

__all__ = ["StaticModel"]
