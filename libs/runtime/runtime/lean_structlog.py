"""structlog without rich.

Its console renderer, which nothing here uses, imports rich and pygments wherever they are installed: a quarter of what a service takes to
start, and after a kill -9 of everything six of them start at once.
"""

from __future__ import annotations

import sys

_absent = "rich" not in sys.modules
if _absent:
    sys.modules["rich"] = None  # type: ignore[assignment]  # what Python takes for "cannot be imported"
try:
    import structlog
finally:
    if _absent:
        del sys.modules["rich"]

__all__ = ["structlog"]
