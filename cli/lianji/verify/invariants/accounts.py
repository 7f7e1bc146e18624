"""I2: the banks' accounts, by a reckoning of our own."""

from __future__ import annotations

from lianji.verify.evidence import Evidence
from lianji.verify.report import Finding


def accounts_add_up(evidence: Evidence, finding: Finding) -> None:
    """Two ways to each balance: record by record, and from what each transaction has left on the account it was posted on. They differ
    when a reversal gives to another account than the posting took from. The third is the snapshot, the bank's own reckoning."""
    ledgers = evidence.ledgers
    finding.checked = len(ledgers.accounts) + evidence.accounts_compared
    taken = {
        (row["institution"], row["account"]): row["net"]
        for row in evidence.facts.query(
            "SELECT institution, account, SUM(net_minor) AS net FROM charges WHERE account <> '' GROUP BY institution, account"
        )
    }
    for (institution, number), account in ledgers.accounts.items():
        due = account.opening_minor - taken.get((institution, number), 0)
        if account.balance_minor != due:
            finding.violate(
                f"{institution} {number}",
                "its balance is not its opening and what its transactions have left on it",
                opening=account.opening_minor,
                by_transaction=due,
                by_replay=account.balance_minor,
            )
    finding.take(ledgers.overdrawn)
    finding.take(evidence.balances)
    if not evidence.accounts_compared:
        finding.unchecked.append("no bank has left a snapshot of a size that is read here")
