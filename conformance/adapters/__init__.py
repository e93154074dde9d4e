"""Adapters: programs that implement the protocol of README.md for an implementation."""
