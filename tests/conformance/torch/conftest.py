"""These tests need PyTorch, and some of them aihwkit; they are collected where there is one."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = ["test_torch_module.py"] if find_spec("torch") is None else []
collect_ignore += ["test_aihwkit_tiles.py"] if find_spec("aihwkit") is None else []
collect_ignore += ["test_lightning_layer.py"] if find_spec("aihwkit_lightning") is None else []
