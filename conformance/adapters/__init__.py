"""Adapters: programs that speak the protocol of README.md for an implementation."""
