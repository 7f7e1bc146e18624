"""The broker's users: contracts.access, which says who may do what, in the words of runtime.rights, which knows what that takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path

import world
from contracts import access
from contracts.access import Access
from lianji import secret_files
from lianji.errors import CliError
from runtime import rights
from runtime.identity import Identity, key_file
from runtime.nkeys import RAW_BYTES, Nkey, NkeyError, read_seed
from runtime.provision import durable
from runtime.rights import Rights, User

_HEAD = """\
# Who may connect to the broker, and what each may publish and hear. Generated from libs/contracts/contracts/access.py by
"""
WORLD_KEYS = (
    _HEAD
    + """\
# `make permissions`; a test compares. The keys are the test world's: their private halves are public.
"""
)
OWN_KEYS = _HEAD + "# `lianji permissions --keys`.\n"


def everybody(a_world: world.World, *, drills: bool = True) -> tuple[Access, ...]:
    """Every identity of a world and its part; without `drills`, as it is with keys of one's own: nobody may switch a fault on."""
    return access.declare(a_world.shards, [institution.id for institution in a_world.institutions], drills=drills)


def world_key(identity: str) -> Nkey:
    """An identity's key in the test world."""
    return Nkey(world.nats_seed(identity))


def key_of(directory: Path | None, identity: str) -> Nkey:
    """An identity's key in a key directory, without one in the test world; raises CliError."""
    return world_key(identity) if directory is None else own_key(directory, identity)


def identity_of(directory: Path | None, identity: str) -> Identity:
    """The same as somebody who can connect; raises CliError."""
    return Identity(identity, key_of(directory, identity))


def users_of(directory: Path | None) -> str:
    """The users of a stack with these keys, as text for a nats-server's configuration; raises CliError."""
    return world_users() if directory is None else own_users(directory)


def own_key(directory: Path, identity: str) -> Nkey:
    """The key in `<identity>.nk`, which is made, for its owner's eyes only, when it is not there, once by whoever comes first; raises CliError."""
    path = key_file(directory, identity)
    try:
        if not path.exists():
            secret_files.write_once(path, f"{Nkey(os.urandom(RAW_BYTES)).seed}\n".encode())
        return read_seed(path)
    except OSError as error:
        raise CliError(f"keys: {path} cannot be made: {error.strerror}") from None
    except NkeyError as error:
        raise CliError(f"keys: {error}") from None


def users(everyone: Sequence[Access], key_of: Callable[[str], Nkey] = world_key) -> list[User]:
    """Every identity with its public key and its rights."""
    return [User(one.identity, key_of(one.identity).public, rights_of(one, everyone)) for one in everyone]


def world_users() -> str:
    """The users of the test world, as text for a nats-server's configuration."""
    return WORLD_KEYS + rights.configuration(users(everybody(world.built_in())))


def own_users(directory: Path) -> str:
    """The same identities with the keys of a directory; raises CliError."""
    return OWN_KEYS + rights.configuration(
        users(everybody(world.built_in(), drills=False), partial(own_key, directory))
    )


def rights_of(one: Access, everyone: Sequence[Access]) -> Rights:
    """What an identity may do at the broker: its own part, and the answers to those who may ask it."""
    parts = [rights.own_inbox(one.identity)]
    parts += (rights.say(subject) for subject in (*one.asks, *one.tells))
    parts += (rights.hear(*served) for served in one.serves)
    parts += (rights.hear(subject) for subject in one.hears)
    parts += (rights.say(log.subject) + rights.read_stream(log.stream) for log in one.owns)
    parts += (rights.follow(log.stream, durable(one.identity, log.stream)) for log in one.follows)
    parts += (rights.write_bucket(*keys) for keys in one.writes)
    parts += (rights.read_bucket(bucket) for bucket in one.reads)
    if one.audits:
        parts += (rights.read_everything(), rights.discover())
    if one.provisions:
        parts.append(_provisioning(everyone))
    parts += _answers(one, everyone)
    if one.service:
        parts.append(rights.discoverable(one.service))
    return reduce(add, parts)


def _answers(one: Access, everyone: Iterable[Access]) -> list[Rights]:
    """To answer each subject that it serves, in the inboxes of those who ask there."""
    found = []
    for asker in everyone:
        asked = [served.subject for served in one.serves if served.subject in asker.asks]
        if one.service and asker.audits:
            asked.append("$SRV.*")
        found += [rights.answer(subject, asker.identity, foreign=asker.foreign) for subject in asked]
    return found


def _provisioning(everyone: Iterable[Access]) -> Rights:
    """To make what the others use: every log and bucket, every follower's consumer."""
    parts = []
    for one in everyone:
        parts += [rights.make_stream(log.stream) for log in one.owns]
        parts += [rights.make_stream(rights.bucket_stream(bucket)) for bucket in buckets_of(one)]
        parts += [rights.make_consumer(log.stream, durable(one.identity, log.stream)) for log in one.follows]
    return reduce(add, parts)


def buckets_of(one: Access) -> tuple[str, ...]:
    """The buckets that an identity uses, each once."""
    return tuple(dict.fromkeys((*(keys.bucket for keys in one.writes), *one.reads)))
