"""`StaticModel`: a static embedding model as an object, with the methods of similar libraries.

In: a path or a name, then texts. Out: arrays of vectors. The other packages do the computing.
May use: all rooms up to `heads`. Public: `StaticModel`.
"""

from .static_model import StaticModel

__all__ = ["StaticModel"]
