"""Golden vectors: cases with refsim's answers, in files that are safe to read."""

from __future__ import annotations

from .answers import Answer, answers
from .check import check_folder
from .folder import Folder, is_golden, read_folder, read_vectors, write_folder
from .vector import Vector, vector_document, vector_of

__all__ = [
    "Answer",
    "Folder",
    "Vector",
    "answers",
    "check_folder",
    "is_golden",
    "read_folder",
    "read_vectors",
    "vector_document",
    "vector_of",
    "write_folder",
]
