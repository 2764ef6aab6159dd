"""Kinds of nodes: tables."""
