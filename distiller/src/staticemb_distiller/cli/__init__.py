"""The command `staticemb-distiller`, with one module for each subcommand.

In: the arguments of a process. Out: its exit status; progress on standard error.
May use: all rooms up to `distillation`. Internal. This module imports nothing, so that help does
not wait for torch.
"""
