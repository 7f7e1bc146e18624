"""Every span of the gateway. One that is a message on the wire is named by operation and template, a step within by what it does."""

from __future__ import annotations

from contracts import subjects
from runtime.tracing import CLIENT, SERVER, Shape, message

RECEIVE = {
    "tcp": Shape("receive frame", SERVER, {"lianji.ingress": "tcp"}),
    "nats": message("process", subjects.TERMINAL_REQUEST_TEMPLATE, SERVER, {"lianji.ingress": "nats"}),
}
"""By ingress: from the message that came in to the answer that is ready to leave."""
VERIFY_MAC = Shape("verify MAC")
TRANSLATE_PIN = Shape("translate PIN")
ADVISE = message("process", subjects.CARDS_ADVISE, SERVER)
"""From an advice of the switch to the bank's answer."""
SEND_ANSWER = Shape("send answer")
STOP_NOTICE = message("process", subjects.STOP_NOTICE_TEMPLATE, SERVER)
"""From a bank's notice to the acknowledgement of every shard."""
SEND = {operation: message("send", subjects.auth_template(operation), CLIENT) for operation in subjects.AUTH_OPERATIONS}
"""By operation: from the question to the switch to its answer."""
