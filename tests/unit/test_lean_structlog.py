"""What a service imports when it starts, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["auth", "issuer_sim", "receipts", "settlement", "terminal_gw"])
def test_a_service_starts_without_what_draws_on_consoles(service: str) -> None:
    code = f"import sys, {service}.app; print(*sorted({{'rich', 'pygments'}} & {{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


def test_rich_can_be_imported_afterwards() -> None:
    code = "import runtime.logs, rich.console; print(rich.console.Console.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "Console"
