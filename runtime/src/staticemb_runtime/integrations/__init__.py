"""Adapters: a static model as the embedding object of a framework, a module for each framework.

In: texts from the framework. Out: vectors, as lists of Python floats or as arrays, as it demands.
May use: all rooms up to `model`. A module imports its framework, an extra of this package;
nothing here is imported before a program asks for it.
Public: `langchain.StaticModelEmbeddings`, `llama_index.StaticModelEmbedding`,
`haystack.StaticModelTextEmbedder`, `haystack.StaticModelDocumentEmbedder`,
`chroma.StaticModelEmbeddingFunction`, `lancedb.StaticModelTextEmbeddingFunction`.
"""
