"""All wiring: one pipeline, two ingresses."""

from __future__ import annotations

import asyncio
import os
from functools import partial

import world
from contracts import subjects
from key_store import KeyStore, KeyStoreError, holding, local_master_key
from runtime import descriptors, logs
from runtime.bus import Request
from runtime.clock import now_ms
from runtime.service import Service
from runtime.settings import SettingsError
from security_module import NOTICE, SecurityModule
from terminal_gw.admission import Admission
from terminal_gw.advising import Advisor
from terminal_gw.answers import Sealer
from terminal_gw.downloaded import Downloads
from terminal_gw.handlers import NatsIngress
from terminal_gw.keyring import Keyring, required_rings
from terminal_gw.listener import Limits, Listener
from terminal_gw.masters import Masters
from terminal_gw.pipeline import Pipeline
from terminal_gw.requests import Desk
from terminal_gw.secure import SecureDoor
from terminal_gw.sessions import PATIENCE_S, Sessions
from terminal_gw.settings import Settings
from terminal_gw.stop_notices import StopNotices
from terminal_gw.stop_versions import StopVersions
from terminal_gw.switch import Switch
from terminal_gw.tls import server_context
from world import World
from world.switch_file import SwitchFileError, load

log = logs.get("app")


BESIDE_CONNECTIONS = 256
"""Descriptors for everything else."""


async def wire(service: Service[Settings]) -> None:
    settings = service.settings
    if (
        room := descriptors.allow(settings.connections + BESIDE_CONNECTIONS) - BESIDE_CONNECTIONS
    ) < settings.connections:
        log.warning(
            "fewer connections than set are possible here (ulimit -Hn)", set=settings.connections, possible=room
        )
    tls = server_context(settings)
    test_world = world.built_in()
    module, store, masters = await _keys(service, test_world)
    admission = Admission(service.metrics, most=settings.sales_in_hand)
    sessions = await service.bucket(subjects.TERMINAL_SESSIONS)
    desk = Desk(
        world=test_world,
        module=module,
        keyring=Keyring(module, store, test_world),
        masters=masters,
        sessions=Sessions(sessions, module, patience_s=PATIENCE_S),
        stops=StopVersions(sessions),
        downloads=Downloads(sessions, partial(world.offer, floors=_floors(settings, test_world))),
        admission=admission,
        switch=Switch(service.bus, service.tracer, test_world.shards, answer_timeout_s=settings.answer_timeout_s),
        tracer=service.tracer,
        now_ms=now_ms,
    )
    pipeline = Pipeline(desk, Sealer(module), service.metrics)
    listener = Listener(
        pipeline,
        Limits(
            handshake_timeout_s=settings.handshake_timeout_s,
            frame_timeout_s=settings.frame_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
            per_address=settings.connections_per_address,
            in_all=settings.connections,
        ),
    )
    ingress = NatsIngress(pipeline)
    serving = await service.bus.serve(subjects.TERMINAL_REQUESTS, ingress.handle, queue=subjects.TERMINAL_QUEUE)
    noticing = [
        await service.bus.serve(
            subjects.stop_notice(institution.id),
            StopNotices(institution, test_world, desk.keyring, desk.switch, service.tracer).on_notice,
            queue=subjects.TERMINAL_QUEUE,
        )
        for institution in test_world.institutions
    ]
    advisor = Advisor(service.bus, desk.keyring, tuple(bank.id for bank in test_world.institutions), service.tracer)
    advising = await service.bus.serve(subjects.CARDS_ADVISE, advisor.handle, queue=subjects.TERMINAL_QUEUE)
    service.ports["listen"] = await listener.start(
        settings.listen_host, settings.listen_port, handed=settings.listen_fd
    )
    service.health.check("listener", listener.ready)
    accepting: asyncio.Task[None] | None = None
    if tls is not None:
        door = SecureDoor(listener, tls)
        service.ports["tls"] = await door.open(settings.listen_host, settings.tls_port, handed=settings.tls_fd)
        accepting = service.spawn(door.run(), name="TLS door")

    async def drain() -> None:
        if accepting is not None:
            accepting.cancel()
        await asyncio.gather(
            listener.drain(), serving.stop(), advising.stop(), *(notices.stop() for notices in noticing)
        )
        await masters.drain()

    service.on_drain(drain)


def _floors(settings: Settings, test_world: World) -> dict[str, int]:
    """By merchant, from the switch's own rules: raises SettingsError."""
    try:
        rules = load(settings.switch_rules, test_world)
    except SwitchFileError as error:
        raise SettingsError(str(error)) from None
    return {entry.merchant: entry.floor_minor for entry in rules.floors}


async def _keys(service: Service[Settings], test_world: World) -> tuple[SecurityModule, KeyStore, Masters]:
    """The security module under the acquirer's LMK, and the acquirer's key rings, which are read again when they change."""
    try:
        module = SecurityModule(local_master_key(os.environ, lambda: world.lmk("acquirer")))
        store = KeyStore(await service.bucket(subjects.KEYS_ACQUIRER), "acquirer")
        await store.load(module, required_rings(test_world))
    except KeyStoreError as error:
        raise SettingsError(str(error)) from None
    log.info("security module", notice=NOTICE, world=world.NOTICE, rings=len(list(store)))
    masters = Masters(store, now_ms)

    async def read_again() -> None:
        masters.learn(await store.refresh())
        for trouble in store.troubles:
            log.error("key ring refused", reason=trouble)

    async def held(request: Request) -> bytes:
        return holding(request.body, [store], service.instance)

    await service.follow(subjects.KEYS_CHANGED, read_again, period_s=service.settings.keys_period_s)
    await service.bus.serve(subjects.KEYS_HELD, held)
    return module, store, masters
