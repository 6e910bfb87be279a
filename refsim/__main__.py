"""``python -m refsim`` is the command ``refsim``."""

from __future__ import annotations

from refsim.cli import main

if __name__ == "__main__":
    main()
