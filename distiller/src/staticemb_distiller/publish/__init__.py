"""Publication of models: a wheel for pip, or a repository on the Hugging Face Hub.

In: a static embedding file. Out: a wheel, or a commit.
May use: all rooms up to `evaluation`. Internal.
"""
