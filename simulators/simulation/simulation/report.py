"""What a campaign came to, for people: tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from simulation.campaign import Campaign, Caught
from simulation.day import Result
from simulation.faults import FAULTS


def show(campaign: Campaign, console: Console) -> None:
    table = Table("fault", "times", "what")
    for name, fault in FAULTS.items():
        table.add_row(name, f"{campaign.faults.get(name, 0):,}", fault.what)
    console.print(table)
    console.print(
        f"{campaign.seeds:,} seeds from {campaign.first} on, {campaign.transactions:,} transactions, "
        f"{sum(campaign.faults.values()):,} faults, {campaign.virtual_s / 3600:.1f} hours of virtual time, "
        f"{campaign.callbacks:,} callbacks; {campaign.seconds:.0f} s on {campaign.cores} cores, "
        f"{campaign.seeds_per_s:.1f} seeds/s; {len(campaign.failing)} failing"
    )


def show_failure(result: Result, shortest: Result, console: Console) -> None:
    """What broke, and the shortest plan that breaks it."""
    console.print(f"\nseed {result.plan.seed} fails:")
    for breach in shortest.breaches:
        console.print(f"  {breach.invariant} {breach.text}", markup=False)
    console.print(f"shortest plan found, {len(shortest.plan.entries)} of {len(result.plan.entries)} entries:")
    for entry in shortest.plan.entries:
        console.print(f"  {entry}", markup=False)


def show_bugs(rows: list[Caught], console: Console) -> None:
    table = Table("bug", "caught by", "seeds", "what")
    for row in rows:
        table.add_row(row.bug, ", ".join(row.invariants) or "NOT caught", str(row.seeds), row.made_good or row.what)
    console.print(table)
    caught = sum(1 for row in rows if row.invariants)
    console.print(f"{caught} of {len(rows)} caught")
