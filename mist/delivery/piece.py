"""Part of a file that is made in memory."""

from __future__ import annotations

Piece = bytes | memoryview
"""Flat bytes."""
