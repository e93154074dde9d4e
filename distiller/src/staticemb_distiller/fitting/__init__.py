"""The closed-form fit: token rows whose means are closest to the teacher's vectors of texts.

In: texts, the teacher's vectors of them, token vectors. Out: rows, and vectors to rotate them by.
May use: all rooms up to `teacher`. Internal.
"""
