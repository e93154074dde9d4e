"""Tell by its commonest words whether a text is in a language that a model does not read.

For languages in Latin letters, whose alphabet says nothing. A text counts only if it has words of
another language: a list of names or of technical terms has none, and is in no language.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of two languages that score alike the first is named, so the ones with most texts come first.
_LANGUAGES: Final = (
    ("en", "English", "the of and to a in is that for it as was with on be by at this are i you"),
    ("es", "Spanish", "de la que el en y a los se del las un por con no una su para es al lo"),
    ("fr", "French", "de la le et les des en un du une que est pour qui dans par sur pas il je ce"),
    ("de", "German", "der die und in den von zu das mit sich des auf für ist im dem nicht ein es"),
    ("pt", "Portuguese", "de a que o e do da em um para com não uma os no se na por mais as dos"),
    ("it", "Italian", "di che e la il un a per in una non sono del è le si con i da della"),
    ("nl", "Dutch", "de van het een en in is dat op te zijn met voor niet aan er ik die maar om"),
    ("pl", "Polish", "i w na z nie się do to że jest o jak ale po co tak za od"),
    ("tr", "Turkish", "ve bir bu da de için ile çok ne ben o mi daha gibi var değil"),
    ("vi", "Vietnamese", "của và là có không cho được các một người những này trong với tôi"),
    ("id ms", "Indonesian or Malay", "yang dan di ini itu untuk dengan dari tidak akan pada ke"),
    ("ro", "Romanian", "de și în la a cu nu pe că o este mai din să un care sunt se"),
    ("cs sk", "Czech or Slovak", "a se sa v na je že to s z do za o i jsem si ale jako ako tak"),
    ("sv", "Swedish", "och i att det är en på som för av med den till inte jag har de om ett var"),
    ("da nb no", "Danish or Norwegian", "og i at det er en et på til av af for med jeg ikke som"),
    ("fi", "Finnish", "ja on ei se että oli hän mutta niin kun mitä ovat myös joka minä"),
    ("hu", "Hungarian", "a az és hogy nem is egy meg ez de csak van volt mint már"),
    ("bs hr sh sr", "Croatian or Serbian", "i je u na se da za od su ne s to kao što o bi ali iz"),
    ("sl", "Slovenian", "je in v na se da so za ne pa ki z bi tudi ali iz kot sem si bo po ni"),
    ("ca", "Catalan", "de la que el i a en un una és els per amb del les no al es més us ha si"),
    ("fil", "Filipino", "ang ng sa na mga ay at ko ka si hindi niya kung"),
    ("is", "Icelandic", "að og í á er sem ekki var til en það við um ég með"),
    ("lt", "Lithuanian", "ir yra kad į tai iš su ne buvo kaip bet jis apie"),
    ("lv", "Latvian", "un ir ka no uz ar par tas nav bija viņš kas bet"),
)
"""Codes, name and common words of languages."""

_OTHER_LETTERS: Final = {
    *("ar", "bg", "bn", "el", "fa", "he", "hi", "ja", "ko", "mk", "ru", "ta", "uk", "ur", "zh")
}
_BEGINNING: Final = 128  # characters
_LEAST: Final = 3  # words
_AS_MANY: Final = 2  # times the words of the model's languages


class CommonWords:
    """The common words of languages that a model reads, and of those that it does not.

    Args:
        own: the common words of the model's languages.
        others: those of other languages, by the names of these. Words that are also the model's
            own count for nothing.

    Example:
        >>> english = words_of("en")
        >>> english.language("Die Katze schläft auf dem Sofa")
        'German'
        >>> english.language("The cat sleeps on the sofa"), english.language("Schwarz GmbH, Köln")
        ('', '')
    """

    def __init__(self, own: frozenset[str], others: Mapping[str, frozenset[str]]) -> None:
        self._own = own
        self._others = {name: words - own for name, words in others.items()}
        self._foreign = frozenset().union(*self._others.values())

    def language(self, text: str) -> str:
        """Name the language of a text; "": the model reads it, or nothing tells.

        Of the first 128 characters at least three different words, and more than twice as many as
        of the model's languages, are common ones of the language. Behind the first word, capitals
        make names, such as El Paso: they do not count.
        """
        words = set((text[:1].lower() + text[1:_BEGINNING]).split())
        if self._foreign.isdisjoint(words):
            return ""
        counts = {name: len(common & words) for name, common in self._others.items()}
        best = max(counts, key=counts.__getitem__)
        least = max(_LEAST, _AS_MANY * len(self._own & words) + 1)
        return best if counts[best] >= least else ""


@lru_cache(8)
def words_of(languages: str) -> CommonWords | None:
    """Return the common words of languages, which models share.

    Args:
        languages: BCP 47 tags, separated by blanks.

    Returns:
        The words; None if there are no languages, or the words of one are not known.
    """
    codes = {tag.partition("-")[0].lower() for tag in languages.split()}
    own: set[str] = set()
    others: dict[str, frozenset[str]] = {}
    unknown = codes - _OTHER_LETTERS
    for group, name, words in _LANGUAGES:
        if codes.isdisjoint(group.split()):
            others[name] = frozenset(words.split())
        else:
            own.update(words.split())
            unknown -= set(group.split())
    return CommonWords(frozenset(own), others) if codes and not unknown else None
