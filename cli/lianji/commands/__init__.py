"""One file a command. `MODULES` is the order in which `lianji --help` lists them; adding a command is one name here."""

MODULES = (
    "up",
    "down",
    "world",
    "certificate",
    "swipe",
    "close",
    "slip",
    "trace",
    "journal",
    "card",
    "summary",
    "load",
    "fault",
    "verify",
    "scan",
    "keys",
    "demo",
    "provision",
    "permissions",
)
