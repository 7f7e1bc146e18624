"""A certification list for whoever speaks the terminal protocol: the cases of `cases`, run against a host, and a report of them.

profile   the terminals, cards and keys that a host was given for it
line      a TCP connection on which anything may be said
sealed    messages that are ready to go, also such as no terminal sends
desk      a terminal, made of the terminal simulator's own messages and seal
rig       the desks and cards that a case works with, and what it has left standing
verdict   how a case fails, or is skipped
case      what a case is
running   the run
annotated a message, part by part, as it stood on the wire, masked
report    the run in words, and as data
"""

from lianji.certify.case import Case
from lianji.certify.cases import ALL, chosen
from lianji.certify.profile import Profile, ProfileError
from lianji.certify.report import as_json, in_words
from lianji.certify.running import Result, run

__all__ = ["ALL", "Case", "Profile", "ProfileError", "Result", "as_json", "chosen", "in_words", "run"]
