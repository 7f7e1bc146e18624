"""Each identity of the committed users tries what it needs and what it must not: on a real broker, with its key.

The tables are written by hand, from what each part is for, and not from the declaration that the permissions are made of. A refused publish
is no exception: the broker complains and drops it. So each probe waits for the complaint, and the streams are compared afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lianji.declaration import declaration_for
from runtime.provision import provision
from tests.support_broker import NOBODY_MAY, Prober, connected, guarded, holdings
from world import built_in

pytestmark = [pytest.mark.broker, pytest.mark.processes]

GATEWAY, AUTH, HUAXING, NANHAI = "terminal-gw", "auth", "issuer-huaxing", "issuer-nanhai"
RECEIPTS, SETTLEMENT, AUDITOR, CUSTODIAN = "receipts", "settlement", "auditor", "custodian"
PROVISION, TERMINAL, DRILL = "provision", "terminal", "drill"
EVERYBODY = (GATEWAY, AUTH, HUAXING, NANHAI, RECEIPTS, SETTLEMENT, AUDITOR, CUSTODIAN, PROVISION, TERMINAL, DRILL)

STREAMS = (
    "JOURNAL_0",
    "JOURNAL_1",
    "LEDGER_huaxing",
    "LEDGER_nanhai",
    "LEDGER_jiangling",
    "LEDGER_meridian",
    "KV_LEASES",
    "KV_TERMINAL_SESSIONS",
    "KV_KEYS_ACQUIRER",
    "KV_KEYS_ISSUER_huaxing",
    "KV_KEYS_ISSUER_nanhai",
    "KV_KEYS_ISSUER_jiangling",
    "KV_KEYS_ISSUER_meridian",
    "KV_SNAPSHOTS_AUTH",
    "KV_SNAPSHOTS_ISSUER_huaxing",
    "KV_SNAPSHOTS_ISSUER_nanhai",
    "KV_SNAPSHOTS_ISSUER_jiangling",
    "KV_SNAPSHOTS_ISSUER_meridian",
)

MAY: dict[str, tuple[str, ...]] = {
    GATEWAY: (
        "publish auth.v1.0.authorize",
        "publish auth.v1.1.settle",
        "publish $KV.TERMINAL_SESSIONS.10000001",
        "publish $KV.KEYS_ACQUIRER.terminal.10000001",
        "publish $JS.API.STREAM.MSG.GET.KV_TERMINAL_SESSIONS",
        "publish $JS.API.STREAM.MSG.GET.KV_KEYS_ACQUIRER",
        "publish _INBOX.terminal.theirs.1",
        "publish _INBOX.custodian.c.keys.v1.held.0",
        "subscribe terminal.v1.*.request terminal-gw",
        "subscribe keys.v1.changed",
        "subscribe keys.v1.held",
        "subscribe _INBOX.terminal-gw.>",
    ),
    AUTH: (
        "publish journal.v1.0",
        "publish journal.v1.1",
        "publish issuer.v1.huaxing.authorize",
        "publish issuer.v1.nanhai.reverse",
        "publish $KV.LEASES.shard.1",
        "publish $KV.SNAPSHOTS_AUTH.journal.v1.0.0.head",
        "publish $JS.API.STREAM.INFO.JOURNAL_0",
        "publish $JS.API.STREAM.MSG.GET.JOURNAL_1",
        "publish _INBOX.terminal-gw.c.auth.v1.0.authorize.7",
        "subscribe auth.v1.0.authorize",
        "subscribe auth.v1.1.sign-on",
        "subscribe _INBOX.auth.>",
    ),
    HUAXING: (
        "publish ledger.v1.huaxing",
        "publish $KV.LEASES.issuer.huaxing",
        "publish $KV.SNAPSHOTS_ISSUER_huaxing.ledger.v1.huaxing.1.0",
        "publish $JS.API.STREAM.MSG.GET.LEDGER_huaxing",
        "publish $JS.API.STREAM.MSG.GET.KV_KEYS_ISSUER_huaxing",
        "publish _INBOX.auth.c.issuer.v1.huaxing.authorize.7",
        "publish _INBOX.drill.c.issuer.v1.huaxing.fault.7",
        "subscribe issuer.v1.huaxing.reverse",
        "subscribe issuer.v1.huaxing.fault",
        "subscribe keys.v1.changed",
        "subscribe _INBOX.issuer-huaxing.>",
    ),
    NANHAI: ("publish ledger.v1.nanhai", "subscribe issuer.v1.nanhai.authorize", "subscribe _INBOX.issuer-nanhai.>"),
    RECEIPTS: (
        "publish $JS.API.STREAM.INFO.JOURNAL_0",
        "publish $JS.API.STREAM.MSG.GET.JOURNAL_1",
        "publish $JS.API.CONSUMER.INFO.JOURNAL_1.receipts_JOURNAL_1",
        "publish $JS.API.CONSUMER.MSG.NEXT.JOURNAL_1.receipts_JOURNAL_1",
        "publish $JS.ACK.JOURNAL_1.receipts_JOURNAL_1.1.1.1.1700000000000000000.0",
        "publish _INBOX.auditor.c.receipts.v1.slip.7",
        "subscribe receipts.v1.slip receipts",
        "subscribe _INBOX.receipts.>",
    ),
    SETTLEMENT: (
        "publish $JS.API.CONSUMER.MSG.NEXT.JOURNAL_0.settlement_JOURNAL_0",
        "publish _INBOX.auditor.c.settlement.v1.batch.7",
        "subscribe settlement.v1.day-summary settlement",
        "subscribe _INBOX.settlement.>",
    ),
    AUDITOR: (
        *(f"publish $JS.API.STREAM.INFO.{stream}" for stream in STREAMS),
        *(f"publish $JS.API.STREAM.MSG.GET.{stream}" for stream in STREAMS),
        "publish $JS.API.STREAM.LIST",
        "publish $JS.API.CONSUMER.INFO.JOURNAL_0.receipts_JOURNAL_0",
        "publish receipts.v1.slip",
        "publish settlement.v1.batch",
        "publish $SRV.PING",
        "publish $SRV.STATS.auth",
        "subscribe _INBOX.auditor.>",
    ),
    CUSTODIAN: (
        "publish $KV.KEYS_ACQUIRER.data",
        "publish $KV.KEYS_ISSUER_huaxing.zone",
        "publish $KV.KEYS_ISSUER_nanhai.cvk",
        "publish $JS.API.STREAM.MSG.GET.KV_KEYS_ACQUIRER",
        "publish keys.v1.changed",
        "publish keys.v1.held",
        "subscribe _INBOX.custodian.>",
    ),
    PROVISION: (
        *(f"publish $JS.API.STREAM.CREATE.{stream}" for stream in STREAMS),
        "publish $JS.API.CONSUMER.DURABLE.CREATE.JOURNAL_0.receipts_JOURNAL_0",
        "subscribe _INBOX.provision.>",
    ),
    TERMINAL: ("publish terminal.v1.10000001.request", "subscribe _INBOX.terminal.>"),
    DRILL: ("publish issuer.v1.nanhai.fault", "subscribe _INBOX.drill.>"),
}
SERVICES = (GATEWAY, AUTH, HUAXING, NANHAI, RECEIPTS, SETTLEMENT)
for service, kind in zip(SERVICES, (GATEWAY, AUTH, "issuer-sim", "issuer-sim", RECEIPTS, SETTLEMENT), strict=True):
    MAY[service] += (
        "subscribe $SRV.PING",
        f"subscribe $SRV.INFO.{kind}",
        f"subscribe $SRV.STATS.{kind}.x",
        "publish _INBOX.auditor.anything",
        "publish _INBOX.auditor.of.theirs",
    )

ONLY: dict[str, tuple[str, ...]] = {
    # What may be done by these identities and by nobody else.
    "publish journal.v1.0": (AUTH,),
    "publish journal.v1.1": (AUTH,),
    "publish ledger.v1.huaxing": (HUAXING,),
    "publish ledger.v1.nanhai": (NANHAI,),
    "publish $KV.LEASES.shard.0": (AUTH,),
    "publish $KV.LEASES.issuer.huaxing": (HUAXING,),
    "publish $KV.LEASES.issuer.nanhai": (NANHAI,),
    "publish $KV.TERMINAL_SESSIONS.10000001": (GATEWAY,),
    "publish $KV.KEYS_ACQUIRER.data": (CUSTODIAN,),
    "publish $KV.KEYS_ACQUIRER.zone.huaxing": (CUSTODIAN,),
    "publish $KV.KEYS_ACQUIRER.terminal.10000001": (CUSTODIAN, GATEWAY),
    "publish $KV.KEYS_ISSUER_huaxing.zone": (CUSTODIAN,),
    "publish $KV.SNAPSHOTS_AUTH.journal.v1.0.0.0": (AUTH,),
    "publish $KV.SNAPSHOTS_ISSUER_nanhai.ledger.v1.nanhai.0.0": (NANHAI,),
    "publish $JS.API.STREAM.MSG.GET.JOURNAL_0": (AUTH, RECEIPTS, SETTLEMENT, AUDITOR),
    "publish $JS.API.STREAM.MSG.GET.LEDGER_huaxing": (HUAXING, AUDITOR),
    "publish $JS.API.STREAM.MSG.GET.KV_KEYS_ACQUIRER": (GATEWAY, CUSTODIAN, AUDITOR),
    "publish $JS.API.STREAM.MSG.GET.KV_KEYS_ISSUER_nanhai": (NANHAI, CUSTODIAN, AUDITOR),
    "publish $JS.API.STREAM.MSG.GET.KV_TERMINAL_SESSIONS": (GATEWAY, AUDITOR),
    "publish $JS.API.STREAM.MSG.GET.KV_SNAPSHOTS_AUTH": (AUTH, AUDITOR),
    "publish $JS.API.CONSUMER.INFO.JOURNAL_0.receipts_JOURNAL_0": (RECEIPTS, AUDITOR),
    "publish $JS.API.CONSUMER.MSG.NEXT.JOURNAL_0.receipts_JOURNAL_0": (RECEIPTS,),
    "publish $JS.API.CONSUMER.MSG.NEXT.JOURNAL_0.settlement_JOURNAL_0": (SETTLEMENT,),
    "publish $JS.ACK.JOURNAL_0.receipts_JOURNAL_0.1.1.1.1.0": (RECEIPTS,),
    "publish $JS.API.CONSUMER.DURABLE.CREATE.JOURNAL_0.settlement_JOURNAL_0": (PROVISION,),
    "publish auth.v1.0.authorize": (GATEWAY,),
    "publish auth.v1.1.reverse": (GATEWAY,),
    "publish issuer.v1.huaxing.authorize": (AUTH,),
    "publish issuer.v1.huaxing.advise": (GATEWAY,),
    "publish cards.v1.advise": (AUTH,),
    "publish auth.v1.0.cut-over": ("operations",),
    "publish issuer.v1.huaxing.fault": (DRILL,),
    "publish terminal.v1.10000001.request": (TERMINAL,),
    "publish receipts.v1.slip": (AUDITOR,),
    "publish settlement.v1.status": (AUDITOR,),
    "publish keys.v1.changed": (CUSTODIAN,),
    "publish keys.v1.held": (CUSTODIAN,),
    "publish $SRV.INFO": (AUDITOR,),
    # Answers: below the subject asked, in the asker's inbox.
    "publish _INBOX.auth.c.issuer.v1.huaxing.authorize.1": (HUAXING,),
    "publish _INBOX.auth.c.issuer.v1.nanhai.authorize.1": (NANHAI,),
    "publish _INBOX.terminal-gw.c.auth.v1.0.authorize.1": (AUTH,),
    "publish _INBOX.terminal-gw.c.issuer.v1.huaxing.advise.1": (HUAXING,),
    "publish _INBOX.custodian.c.keys.v1.held.1": (GATEWAY, HUAXING, NANHAI),
    "publish _INBOX.auditor.c.receipts.v1.slip.1": (RECEIPTS,),
    "publish _INBOX.drill.c.issuer.v1.nanhai.fault.1": (NANHAI,),
    "publish _INBOX.terminal.theirs": (GATEWAY,),
    # And what answers look like that only the broker gives: acknowledgements, messages that were asked for.
    "publish _INBOX.auth.c.journal.v1.0.1": (),
    "publish _INBOX.auth.c.$JS.API.STREAM.MSG.GET.JOURNAL_0.1": (),
    "publish _INBOX.auth.c.1": (),
    "publish _INBOX.issuer-huaxing.c.ledger.v1.huaxing.1": (),
    "publish _INBOX.auditor.c.$JS.API.STREAM.INFO.JOURNAL_0.1": (),
    "publish _INBOX.provision.c.1": (),
    # Listening.
    "subscribe >": (),
    "subscribe *": (),
    "subscribe *.*.*.*": (),
    "subscribe _INBOX.>": (),
    "subscribe auth.v1.>": (),
    "subscribe auth.v1.0.authorize": (AUTH,),
    "subscribe issuer.v1.>": (),
    "subscribe issuer.v1.huaxing.authorize": (HUAXING,),
    "subscribe issuer.v1.nanhai.authorize": (NANHAI,),
    "subscribe issuer.v1.nanhai.fault": (NANHAI,),
    "subscribe terminal.v1.>": (),
    "subscribe terminal.v1.*.request": (),  # beside the group: a copy of every request
    "subscribe terminal.v1.*.request another-group": (),
    "subscribe terminal.v1.*.request terminal-gw": (GATEWAY,),
    "subscribe receipts.v1.slip": (),
    "subscribe receipts.v1.slip receipts": (RECEIPTS,),
    "subscribe settlement.v1.batch settlement": (SETTLEMENT,),
    "subscribe journal.v1.>": (),
    "subscribe journal.v1.0": (),
    "subscribe ledger.v1.huaxing": (),
    "subscribe keys.v1.changed": (GATEWAY, HUAXING, NANHAI),
    "subscribe $KV.>": (),
    "subscribe $KV.KEYS_ACQUIRER.data": (),
    "subscribe $JS.>": (),
    "subscribe $JS.API.>": (),
    "subscribe $SYS.>": (),
    "subscribe $SRV.>": (),
    **{f"subscribe _INBOX.{identity}.>": (identity,) for identity in EVERYBODY},
    **{f"publish $JS.API.STREAM.CREATE.{stream}": (PROVISION,) for stream in STREAMS},
    # Nobody, not provisioning either, alters what is there or makes what is not declared.
    **{
        f"publish $JS.API.{operation}": ()
        for stream in STREAMS
        for operation in (
            f"STREAM.UPDATE.{stream}",
            f"STREAM.DELETE.{stream}",
            f"STREAM.PURGE.{stream}",
            f"STREAM.MSG.DELETE.{stream}",
            f"STREAM.SNAPSHOT.{stream}",
            f"STREAM.RESTORE.{stream}",
            f"STREAM.LEADER.STEPDOWN.{stream}",
            f"STREAM.PEER.REMOVE.{stream}",
            f"DIRECT.GET.{stream}",
            f"CONSUMER.CREATE.{stream}",
            f"CONSUMER.CREATE.{stream}.mine",
            f"CONSUMER.CREATE.{stream}.mine.journal.v1.0",
            f"CONSUMER.DURABLE.CREATE.{stream}.mine",
            f"CONSUMER.DELETE.{stream}.receipts_{stream}",
            f"CONSUMER.PAUSE.{stream}.receipts_{stream}",
            f"CONSUMER.RESET.{stream}.receipts_{stream}",
        )
    },
    "publish $JS.API.STREAM.CREATE.MINE": (),
    "publish $JS.API.ACCOUNT.PURGE.$G": (),
    "publish $JS.API.META.LEADER.STEPDOWN": (),
    "publish $SYS.REQ.SERVER.PING": (),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with guarded(tmp_path_factory.mktemp("guarded")) as url:
        yield url


@pytest.fixture
async def provisioned(url: str) -> str:
    bus = await connected(url, PROVISION)
    await provision(bus, declaration_for(built_in())._replace(max_bytes=1 << 26))
    await bus.close()
    return url


async def test_provisioning_makes_all_that_the_tables_speak_of(provisioned: str) -> None:
    assert set(await holdings(provisioned)) == set(STREAMS)


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_may(provisioned: str, identity: str) -> None:
    prober = await Prober(identity).connect(provisioned)
    refused = [what for what in MAY[identity] if await prober.is_refused(what, b"{}")]
    await prober.close()
    assert refused == []


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_may_not(provisioned: str, identity: str) -> None:
    before = await holdings(provisioned)
    forbidden = [what for what, who in ONLY.items() if identity not in who]
    prober = await Prober(identity).connect(provisioned)
    passed = [what for what in forbidden if not await prober.is_refused(what)]
    await prober.close()
    assert passed == []
    assert await holdings(provisioned) == before, "nothing has come in, and nothing has gone"


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_the_rest_of_the_table(provisioned: str, identity: str) -> None:
    """Whoever is named in ONLY may: a table that forbade too much would say nothing."""
    prober = await Prober(identity).connect(provisioned)
    refused = [what for what, who in ONLY.items() if identity in who and await prober.is_refused(what, b"{}")]
    await prober.close()
    assert refused == []


async def test_the_probes_see_what_passes(tmp_path: Path) -> None:
    """The same probes at a broker whose user has no limits: none is refused, so a refusal is the broker's and not the probe's."""
    from lianji.permissions import identity_of

    key = identity_of(None, AUDITOR).key
    assert key is not None
    all_but_the_mark = f'permissions: {{ publish: {{ deny: "{NOBODY_MAY}" }} }}'
    with guarded(tmp_path, f"authorization {{ users = [ {{ nkey: {key.public}, {all_but_the_mark} }} ] }}") as url:
        prober = await Prober(AUDITOR).connect(url)
        assert [what for what in ONLY if "$SYS" not in what and await prober.is_refused(what)] == []
        await prober.close()


async def test_a_consumer_cannot_carry_a_bank_s_message_into_the_journal(provisioned: str) -> None:
    """The broker would deliver it with a right of its own: so nobody may make one, not even on his own stream."""
    config = {"deliver_subject": "journal.v1.0", "ack_policy": "none", "deliver_policy": "all"}
    body = json.dumps({"stream_name": "LEDGER_huaxing", "config": config}).encode()
    prober = await Prober(HUAXING).connect(provisioned)
    assert not await prober.is_refused("publish ledger.v1.huaxing", b"forged")
    before = await holdings(provisioned)
    for operation in ("CONSUMER.CREATE.LEDGER_huaxing", "CONSUMER.CREATE.LEDGER_huaxing.receipts_JOURNAL_0"):
        assert await prober.is_refused(f"publish $JS.API.{operation}", body, reply="_INBOX.issuer-huaxing.c.1")
    await prober.close()
    assert await holdings(provisioned) == before


async def test_a_roll_up_empties_no_bucket(provisioned: str) -> None:
    """The gateway may put terminals' keys; a header of the broker's would have let it throw away all others."""
    custodian = await Prober(CUSTODIAN).connect(provisioned)
    assert not await custodian.is_refused("publish $KV.KEYS_ACQUIRER.data", b"ring")
    await custodian.close()
    before = (await holdings(provisioned))["KV_KEYS_ACQUIRER"]
    gateway = await Prober(GATEWAY).connect(provisioned)
    for extent in ("all", "sub"):
        assert not await gateway.is_refused("publish $KV.KEYS_ACQUIRER.terminal.1", b"x", Nats_Rollup=extent)
    await gateway.close()
    assert (await holdings(provisioned))["KV_KEYS_ACQUIRER"] == before
