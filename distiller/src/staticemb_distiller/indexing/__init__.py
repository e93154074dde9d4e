"""Search indexes with a teacher's vectors, and models that score an index's hits again.

In: documents, a teacher or its vectors, an index. Out: an index; scores.
May use: all rooms up to `adaptation`, and the runtime's search. Public.
"""

from .scorers import CrossEncoderScorer, TeacherScorer, open_scorer
from .teacher_index import IndexDocument, index_with_teacher

__all__ = [
    "CrossEncoderScorer",
    "IndexDocument",
    "TeacherScorer",
    "index_with_teacher",
    "open_scorer",
]
