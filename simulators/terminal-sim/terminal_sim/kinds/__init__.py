"""What each kind of transaction adds to the messages that all have alike: one table, and a file for what a kind has of its own.

form          what may be said of a kind
balance       field 54 of its answer
instalment    field 62, of request and answer
transfer      field 62 of its request
"""

from contracts.kinds import Kind
from terminal_sim.kinds import balance, instalment, transfer
from terminal_sim.kinds.form import NOTHING_MORE, Extras, Form

FORMS: dict[Kind, Form] = {
    Kind.SALE: Form(partial=True),
    Kind.VOID: Form(rrn=True),
    Kind.REFUND: Form(rrn=True, fixed={63: "CUP"}),
    Kind.PRE_AUTH: Form(),
    Kind.PRE_AUTH_VOID: Form(authorization=True),
    Kind.COMPLETION: Form(),
    Kind.COMPLETION_ADVICE: Form(stoppable=False),
    Kind.COMPLETION_VOID: Form(rrn=True),
    Kind.INSTALMENT: Form(write=instalment.write, read=instalment.read),
    Kind.INSTALMENT_VOID: Form(rrn=True),
    Kind.BALANCE: Form(amount=False, read=balance.read),
    Kind.CARD_CHECK: Form(amount=False),
    Kind.TRANSFER: Form(write=transfer.write),
    Kind.OFFLINE_SALE: Form(offline=True),
}

__all__ = ["FORMS", "NOTHING_MORE", "Extras", "Form"]
