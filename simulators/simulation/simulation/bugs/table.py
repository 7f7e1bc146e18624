"""Every bug by its name."""

from __future__ import annotations

from simulation.bugs import bank, books, gateway, kinds, log, stop_list, switch
from simulation.bugs.bug import Bug

BUGS: dict[str, Bug] = {
    "settled-twice": Bug("settlement books what a batch settles twice", books.SETTLED_TWICE),
    "compensated-twice": Bug("a reversal after the close is booked twice", books.COMPENSATED_TWICE),
    "not-compensated": Bug("a reversal after the close is not booked", books.NOT_COMPENSATED),
    "checkpoint-first": Bug("groups are acknowledged before their rows are committed", books.CHECKPOINT_FIRST),
    "reversal-lost": Bug("a reversal is called delivered, and the bank is not told", switch.NEVER_TOLD),
    "advice-lost": Bug(
        "what was approved in a bank's stead is called told, and the bank never hears of it", switch.NEVER_ADVISED
    ),
    "advised-of-nothing": Bug(
        "a bank that is told of a completion afterwards is not told of which hold", switch.ADVISED_OF_NOTHING
    ),
    "answered-early": Bug("the switch answers before the outcome is acknowledged", switch.ANSWERED_EARLY),
    "unproved": Bug("an owner answers from memory without proving that it still is one", switch.UNPROVED),
    "left-open": Bug("a new owner does not end the intents that it finds open", switch.LEFT_OPEN),
    "answered-anew": Bug("a repetition gets an answer made anew, not the stored one", switch.ANSWERED_ANEW),
    "sold-anew": Bug("a repetition is sold once more", switch.SOLD_ANEW),
    "as-before-close": Bug("a reversal after the close is recorded as one before it", switch.AS_BEFORE_CLOSE),
    "of-any-terminal": Bug("a terminal can reverse another terminal's sale", switch.OF_ANY_TERMINAL),
    "tombstone-forgotten": Bug("a reversal that comes before its original is forgotten", switch.NO_TOMBSTONE),
    "intent-later": Bug(
        "the intent is written with the outcome, not ahead",
        switch.INTENT_LATER,
        "a terminal without an answer reverses, and the tombstone undoes it: only one that is gone for ever leaves a trace",
    ),
    "closed-at-once": Bug(
        "a batch is closed without waiting for open intents",
        switch.CLOSED_AT_ONCE,
        "no terminal closes while it has an intent open: it reverses first; tests/unit/test_auth_decisions.py holds the rule",
    ),
    "bank-not-idempotent": Bug("the bank decides a repeated question anew", bank.NOT_IDEMPOTENT),
    "bank-answers-early": Bug("the bank answers before its ledger has it", bank.ANSWERED_EARLY),
    "bank-tombstone-forgotten": Bug("the bank forgets a reversal of what it does not know", bank.NO_TOMBSTONE),
    "no-fence": Bug("appends go without the expected sequence", log.NO_FENCE),
    "never-fenced": Bug("a refused append is repeated behind whatever stands there", log.NEVER_FENCED),
    "taken-for-landed": Bug("an append of unknown outcome is taken for landed", log.TAKEN_FOR_LANDED),
    "taken-for-lost": Bug("an append of unknown outcome is sent as another message", log.TAKEN_FOR_LOST),
    "snapshot-trusted": Bug("a damaged snapshot is taken without a look at its digest", log.SNAPSHOT_TRUSTED),
    "snapshot-ahead": Bug("a snapshot holds what its place in the log does not", log.SNAPSHOT_AHEAD),
    "silence-is-no": Bug("the gateway calls refused what nobody knows", gateway.SILENCE_IS_NO),
    "voided-twice": Bug("a void does not look whether one stands", kinds.VOIDED_TWICE),
    "refunds-not-added-up": Bug("a refund does not look what was refunded before", kinds.REFUNDS_NOT_ADDED_UP),
    "void-stands-for-ever": Bug("the reversal of a void does not free its sale", kinds.VOID_STANDS_FOR_EVER),
    "voided-by-any": Bug("a void of another terminal's, or of a closed batch, is let through", kinds.VOIDED_BY_ANY),
    "recalled-as-new": Bug("what the switch had forgotten comes back without its claims", kinds.RECALLED_AS_NEW),
    "second-half-unheard": Bug("a transfer is approved whatever the second bank says", kinds.SECOND_HALF_UNHEARD),
    "hold-not-released": Bug("a completion leaves the hold", kinds.HOLD_NOT_RELEASED),
    "hold-not-again": Bug("the reversal of a completion does not hold again", kinds.HOLD_NOT_AGAIN),
    "half-left-standing": Bug("of a reversed transfer the receiver keeps his half", kinds.HALF_LEFT_STANDING),
    "stopped-not-looked-at": Bug(
        "the switch does not look whether a card was stopped",
        stop_list.NOT_LOOKED_AT,
        "the bank refuses a card that was reported to it, too; tests/unit/test_stop_list.py and test_verify_stopped.py hold the rule",
    ),
    "part-in-full": Bug("a partial approval is settled in full", kinds.PART_IN_FULL),
}
