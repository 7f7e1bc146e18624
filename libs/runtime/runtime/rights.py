"""What an identity may publish and hear at the broker, in NATS's words: the subjects behind "append to this log", "read that bucket".

The rights are such that one stolen key does not reach further than its own part. That rests on three rules, each tried by a test:

- Nobody but provisioning may make a consumer. The broker delivers for a consumer to any subject, with a right of its own: whoever may
  write one stream and make consumers on it could put messages of his own making into any other. Readers ask for messages one by one;
  those come wrapped in JSON, which is no record anywhere.
- An answer may go to the inbox of those who may ask, below the subject that they asked, and nowhere else. `allow_responses` would let
  an answer go wherever the question says: a terminal's key and the gateway's together could have written a journal.
- Buckets take no roll-ups: one such header empties a whole bucket, whatever key it is put under.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

INBOX = "_INBOX"

_API = "$JS.API"
_VERBS = ("PING", "INFO", "STATS")
"""Of service discovery (ADR-32 of NATS)."""


class Rights(NamedTuple):
    """Subjects that may be published, and subscriptions that may be made: a subject, or a subject and a queue group."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def __add__(self, other: object) -> Rights:
        if not isinstance(other, Rights):
            return NotImplemented
        return Rights(self.publish + other.publish, self.subscribe + other.subscribe)


def inbox(identity: str) -> str:
    """The prefix of an identity's inboxes, without a dot at its end."""
    return f"{INBOX}.{identity}"


def own_inbox(identity: str) -> Rights:
    return Rights(subscribe=(f"{inbox(identity)}.>",))


def say(subject: str) -> Rights:
    """To publish: requests, or what nobody answers."""
    return Rights((subject,))


def hear(subject: str, queue: str = "") -> Rights:
    """To subscribe; with a queue group, as one of its members only."""
    return Rights(subscribe=(f"{subject} {queue}".rstrip(),))


def answer(subject: str, asker: str, *, foreign: bool) -> Rights:
    """To answer what `asker` asks on `subject`: its bus takes the answer below that subject. A foreign client's inboxes look as they like."""
    # A prefix, a name that is the client's own, at most one number behind it: no client of NATS has longer ones.
    theirs = (f"{inbox(asker)}.*", f"{inbox(asker)}.*.*") if foreign else ()
    return Rights((f"{inbox(asker)}.*.{subject}.*", *theirs))


def read_stream(stream: str) -> Rights:
    """Its state, and its messages one by one."""
    return Rights((f"{_API}.STREAM.INFO.{stream}", f"{_API}.STREAM.MSG.GET.{stream}"))


def follow(stream: str, durable: str) -> Rights:
    """To take messages from a durable consumer that provisioning has made, to acknowledge them, and to see how it is."""
    return read_stream(stream) + Rights(
        (
            f"{_API}.CONSUMER.INFO.{stream}.{durable}",
            f"{_API}.CONSUMER.MSG.NEXT.{stream}.{durable}",
            f"$JS.ACK.{stream}.{durable}.>",
        ),
    )


def bucket_stream(bucket: str) -> str:
    """The stream that holds a bucket."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    return f"$KV.{bucket}.{key}"


def read_bucket(bucket: str) -> Rights:
    return read_stream(bucket_stream(bucket))


def write_bucket(bucket: str, pattern: str) -> Rights:
    """To put values under the keys that match `pattern`."""
    return read_bucket(bucket) + Rights((bucket_subject(bucket, pattern),))


def discoverable(service: str) -> Rights:
    """To be asked by `nats micro ls`, `info` and `stats`."""
    return Rights(
        subscribe=tuple(f"$SRV.{verb}{rest}" for verb in _VERBS for rest in ("", f".{service}", f".{service}.*"))
    )


def discover() -> Rights:
    """To ask services who they are."""
    return Rights(discovery())


def discovery() -> tuple[str, ...]:
    """The subjects on which services are asked who they are."""
    return tuple(f"$SRV.{verb}{rest}" for verb in _VERBS for rest in ("", ".>"))


def read_everything() -> Rights:
    """Every stream and consumer: which there are, how they are, what they hold. Nothing can be changed with it."""
    operations = (
        "INFO",
        "STREAM.LIST",
        "STREAM.NAMES",
        "STREAM.INFO.*",
        "STREAM.MSG.GET.*",
        "CONSUMER.LIST.*",
        "CONSUMER.NAMES.*",
        "CONSUMER.INFO.*.*",
    )
    return Rights(tuple(f"{_API}.{operation}" for operation in operations))


def make_stream(stream: str) -> Rights:
    """To make it, and to see whether it is there."""
    return Rights((f"{_API}.STREAM.CREATE.{stream}", f"{_API}.STREAM.INFO.{stream}"))


def make_consumer(stream: str, durable: str) -> Rights:
    return Rights((f"{_API}.CONSUMER.DURABLE.CREATE.{stream}.{durable}",))


class User(NamedTuple):
    """An identity as the broker knows it."""

    identity: str
    public_key: str
    rights: Rights


def configuration(users: Iterable[User]) -> str:
    """The `authorization` of a nats-server's configuration: these users and nobody else."""
    return "authorization {\n  users = [\n" + "".join(_user(user) for user in users) + "  ]\n}\n"


def _user(user: User) -> str:
    publish, subscribe = (_allowed(subjects) for subjects in user.rights)
    return (
        f"    # {user.identity}\n    {{\n      nkey: {user.public_key}\n      permissions: {{\n"
        f"        publish: {publish}\n        subscribe: {subscribe}\n      }}\n    }}\n"
    )


def _allowed(subjects: Iterable[str]) -> str:
    """An allow list, each subject once and in order. One without any would allow everything, so it becomes a refusal of everything."""
    listed = sorted(set(subjects))
    if not listed:
        return '{ deny: ">" }'
    return "{ allow: [\n" + "".join(f'          "{subject}"\n' for subject in listed) + "        ] }"
