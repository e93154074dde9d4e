"""Models of other libraries: model2vec, sentence-transformers, ONNX, word vectors.

In: a folder or file of another library, or a static embedding file. Out: the converted model, its
vectors compared with the source's.
May use: all rooms up to `file`. Internal.
"""
