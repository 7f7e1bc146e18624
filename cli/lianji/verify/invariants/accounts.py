"""I2: the banks' accounts, by a reckoning of our own."""

from __future__ import annotations

from lianji.verify.evidence import Evidence, note
from lianji.verify.paths import ADVICE
from lianji.verify.report import Finding


def accounts_add_up(evidence: Evidence, finding: Finding) -> None:
    """Two ways to each balance: record by record, and from what each transaction has left on the account it was posted on. They differ
    when a reversal gives to another account than the posting took from. The third is the snapshot, the bank's own reckoning."""
    ledgers = evidence.ledgers
    finding.checked = len(ledgers.accounts) + evidence.accounts_compared
    left = {
        (row["institution"], row["account"]): (row["net"], row["held"])
        for row in evidence.facts.query(
            "SELECT institution, account, SUM(net_minor) AS net, SUM(held_minor) AS held FROM charges "
            "WHERE account <> '' GROUP BY institution, account"
        )
    }
    for (institution, number), account in ledgers.accounts.items():
        taken, held = left.get((institution, number), (0, 0))
        due = account.opening_minor - taken, held
        if (account.balance_minor, account.held_minor) != due:
            finding.violate(
                f"{institution} {number}",
                "its balance is not its opening and what its transactions have left on it, or its holds are not theirs",
                opening=account.opening_minor,
                by_transaction=_show(*due),
                by_replay=_show(account.balance_minor, account.held_minor),
            )
    for row in evidence.facts.query(
        f"SELECT c.id FROM charges c JOIN transactions t ON t.id = c.id WHERE c.forced AND NOT ({ADVICE} OR t.stood_in)"
    ):
        note(evidence, finding, row["id"], "was booked whatever the account held, and is no notice")
    finding.take(ledgers.overdrawn)
    finding.take(evidence.balances)
    if not evidence.accounts_compared:
        finding.unchecked.append("no bank has left a snapshot of a size that is read here")


def _show(balance_minor: int, held_minor: int) -> str:
    return f"{balance_minor}, {held_minor} of it held"
