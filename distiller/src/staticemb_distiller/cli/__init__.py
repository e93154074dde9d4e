"""The command `staticemb-distiller`, a module for each subcommand.

In: the arguments of a process. Out: its exit status; progress on standard error.
May use: everything else. This package imports nothing, so that help does not wait for torch.
"""
