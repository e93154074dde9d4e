"""Models of other libraries: model2vec, sentence-transformers, ONNX, word vectors.

In: a folder or file of theirs, or a static embedding file. Out: the other one, compared with it.
May use: all rooms up to `file`.
"""
