"""Words that say nothing about what a question is about: BM25 ignores them in queries."""

from __future__ import annotations

from typing import Final

# Words of grammar and of asking. Prepositions and adverbs that carry time, order or amount, such as
# "before", "between" and "most", stay: questions are about them.
_ENGLISH: Final = """
a an and are as at be but by for from has have he her him his how i if in into is it its me my no
not of on or our she so such that the their theirs them then there these they this to us was we
were what when where which who whom whose why will with would you your yours can could do does did
doing done about any been being may might must shall should than those some am also because both
each either neither nor had having here just only other others same too very t s re ve ll d m
"""
ENGLISH: Final = tuple(_ENGLISH.split())
