"""A terminal to stand at: keys in, screens out. Pure but for the keyboard; `lianji.commands.pos` does what the screens order.

entries    what has been keyed so far, and the check of each key-in
tables     menus, questions, and which questions a job asks
desk       the machine: where the operator stands, and where a key leads
screen     32 columns of it
told       what came of a transaction, in words
setup      what operator 99 sets
keyboard   lines from a terminal, with what must not be seen masked, or from a pipe
"""

from lianji.pos.desk import Desk, Facts, begin, done, press
from lianji.pos.entries import Entries, Read
from lianji.pos.keyboard import Keyboard
from lianji.pos.screen import draw, note
from lianji.pos.setup import Setting
from lianji.pos.tables import CANCEL, JOBS, MENUS, PROMPTS, Action, Ask, Job, Menu
from lianji.pos.told import closed, result

__all__ = [
    "CANCEL",
    "JOBS",
    "MENUS",
    "PROMPTS",
    "Action",
    "Ask",
    "Desk",
    "Entries",
    "Facts",
    "Job",
    "Keyboard",
    "Menu",
    "Read",
    "Setting",
    "begin",
    "closed",
    "done",
    "draw",
    "note",
    "press",
    "result",
]
