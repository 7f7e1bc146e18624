"""`lianji pos`: a terminal to stand at. The screens are lianji.pos; here is what they order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop

import world
from contracts.kinds import KINDS, Kind
from contracts.money import Money
from contracts.questions import Slip, SlipQuestion
from contracts.response_codes import APPROVALS
from contracts.terms import InstalmentPlan
from lianji import line as lines
from lianji import options, tls
from lianji.commands.close import settlement_slip
from lianji.commands.do import Asked, named, transaction
from lianji.commands.slip import COPIES, from_receipts
from lianji.commands.swipe import PATIENCE_S, open_terminal, read_by, said_after
from lianji.errors import CliError
from lianji.pos import (
    Action,
    Ask,
    Desk,
    Entries,
    Facts,
    Keyboard,
    Read,
    Setting,
    begin,
    closed,
    done,
    draw,
    note,
    press,
    result,
    setup,
)
from lianji.pos.told import code
from terminal_sim import operators, orders
from terminal_sim.cards import Card
from terminal_sim.orders import NotThere
from terminal_sim.outcomes import PlainOutcome, Refused, SignOnOutcome, Step
from terminal_sim.results import SwipeResult
from terminal_sim.shipped import SYSTEM
from terminal_sim.till import Till


def register(app: typer.Typer) -> None:
    @app.command()
    def pos(
        terminal: Annotated[str, typer.Option(help="A terminal of `lianji world`.")] = "10000001",
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        nats: options.Nats = "",
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        link: lines.Kind = None,
        loss: lines.Loss = None,
        link_seed: lines.Seed = None,
        keep_line: lines.Keep = None,
    ) -> None:
        """Stand at a terminal: operator, menus, card, amount, PIN, and the slips on the screen. Operator 01, password 0000; * cancels. Takes keys from a pipe, too."""
        if sys.stdin is None:
            raise CliError("input: standard input is closed; give it keys")
        shape = lines.shape(link, loss, link_seed, keep_line)
        till = open_terminal(data_dir, gateway, terminal, tls.line(tls_ca, tls_certificate, tls_key), shape)
        # The loop runs while something is done, not while keys are waited for: a Ctrl-C there is Python's own, and
        # during a transaction it is silence to the terminal, which has saved what undoes it.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, Keyboard() as keyboard:
            try:
                _stand(runner, Counter(till, data_dir, options.broker_if_any(data_dir, nats)), keyboard)
            finally:
                till.shut()


def _stand(runner: asyncio.Runner, counter: Counter, keyboard: Keyboard) -> None:
    """Until there are no more keys; raises CliError when they end in the middle of something."""
    desk = begin()
    while True:
        facts = counter.facts
        _print(draw(desk, facts))
        keys = keyboard.read(desk.echo)
        if keys is None:
            if desk.asks not in (None, Ask.OPERATOR):
                raise CliError(f"input: it ended where {desk.asks} was asked")
            return
        desk = press(desk, keys, facts)
        if desk.ready:
            desk = runner.run(counter.do(desk))


class Counter:
    """What stands on a shop's counter: a terminal, and its printer, if there is somebody to ask for slips."""

    def __init__(self, till: Till, data_dir: Path, broker: options.Broker | None) -> None:
        self._till = till
        self._data_dir = data_dir
        self._broker = broker
        facts = world.built_in().terminal(till.terminal.tid)
        merchant = world.built_in().merchant(facts.merchant) if facts else None
        self._merchant = merchant.name if merchant else ""
        self._actions: dict[Action, Callable[[Entries], Awaitable[tuple[str, ...]]]] = {
            Action.LOG_IN: self._log_in,
            Action.LOG_OUT: self._log_out,
            Action.SIGN_ON: self._sign_on,
            Action.SIGN_OFF: self._sign_off,
            Action.ECHO: self._echo,
            Action.SETTLE: self._settle,
            Action.REPRINT: self._reprint,
            Action.TOTALS: self._totals,
            Action.PASSWORD: self._password,
            Action.CASHIER: self._cashier,
            Action.DOWNLOAD: self._download,
            Action.RESET: self._reset,
            Action.DELETE: self._delete,
        }

    @property
    def facts(self) -> Facts:
        terminal = self._till.terminal
        record = terminal.record
        waiting = [f"冲正待发 REVERSAL WAITS: {record.pending.stan}"] if record.pending else []
        waiting += [f"通知待发 NOTICES WAIT: {len(record.advices)}"] if record.advices else []
        return Facts(
            merchant=self._merchant,
            tid=terminal.tid,
            batch=record.batch,
            waiting=tuple(waiting),
            approvals=frozenset(
                kind
                for kind in Kind
                if terminal.operator != SYSTEM and operators.may_not_transact(record, terminal.operator, kind, "")
            ),
        )

    async def do(self, desk: Desk) -> Desk:
        """The job that the desk is ready for. What cannot be done is said; the operator goes on."""
        try:
            with said_after(PATIENCE_S, "请稍候 waiting for the answer …"):
                said = await self._job(desk)
        except CliError as error:
            said = (str(error),)
        return done(desk, operator=self._till.terminal.operator, said=said)

    async def _job(self, desk: Desk) -> tuple[str, ...]:
        if isinstance(desk.ready, Kind):
            return await self._transaction(desk.ready, desk.entries)
        if isinstance(desk.ready, Setting):
            return self._set(desk.ready, desk.entries.value)
        return await self._actions[Action(desk.ready or "")](desk.entries)

    # Transactions

    async def _transaction(self, kind: Kind, entries: Entries) -> tuple[str, ...]:
        await self._tried_again()
        made = await self._made(kind, entries)
        _say(result(made))
        for notice in made.notices:
            if notice.response_code in APPROVALS and KINDS[notice.kind].slip:
                await self._print_slips(notice.rrn)
        if made.approved and KINDS[made.kind].slip:
            await self._print_slips(made.rrn)
        return ()

    async def _made(self, kind: Kind, entries: Entries) -> SwipeResult:
        """The card stays in the reader for as long as it takes."""
        card = entries.card
        if card is None:
            raise CliError("card: none was keyed")
        if not isinstance(card, Read):
            return await transaction(self._till, _asked(kind, entries, card), entries.approval)
        with read_by(self._data_dir, card.card, chip=not card.contactless, contactless=card.contactless) as read:
            if read is None:
                raise CliError("card: its chip was not read")
            return await transaction(self._till, _asked(kind, entries, read), entries.approval)

    async def _tried_again(self) -> None:
        """Whoever goes on wants what is stuck tried again."""
        if self._till.stuck:
            await self._till.recover()

    async def _print_slips(self, rrn: str, *, reprint: bool = False) -> None:
        """Both copies, as receipts has them: it follows the journal a moment behind. Without a stack to ask, where they are to be had."""
        if self._broker is None:
            _say((f"签购单 SLIPS: lianji slip {rrn}",))
            return
        try:
            async with options.connected(self._broker, "pos", within_s=options.ANSWER_S) as bus:
                for copy in COPIES:
                    question = SlipQuestion(rrn=rrn, copy=copy, reprint=reprint)
                    answer = await options.until_known(partial(from_receipts, bus, question))
                    _print(f"{answer.text}\n" if isinstance(answer, Slip) else note((answer.reason,)))
        except CliError as error:  # the transaction stands, whatever the printer does
            _say((f"打印失败 NOT PRINTED: {error}", f"lianji slip {rrn}"))

    # Everything else

    async def _log_in(self, entries: Entries) -> tuple[str, ...]:
        outcome = self._till.terminal.log_in(entries.operator, entries.password).outcome
        if isinstance(outcome, Refused):
            return (f"登录失败 {outcome.reason}",)
        self._till.operator, self._till.password = entries.operator, entries.password
        return ()

    async def _log_out(self, _: Entries) -> tuple[str, ...]:
        self._till.terminal.log_out()
        return ()

    async def _sign_on(self, _: Entries) -> tuple[str, ...]:
        outcome = await self._till.sign_on()
        if isinstance(outcome, SignOnOutcome) and outcome.signed_on:
            return (f"签到成功 SIGNED ON: batch {outcome.batch}",)
        return (f"签到失败 NOT SIGNED ON: {outcome.reason}",)

    async def _sign_off(self, _: Entries) -> tuple[str, ...]:
        return _plain("签退 SIGN OFF", await self._till.sign_off())

    async def _echo(self, _: Entries) -> tuple[str, ...]:
        return _plain("线路测试 ECHO", await self._till.echo())

    async def _settle(self, _: Entries) -> tuple[str, ...]:
        await self._tried_again()
        made = await self._till.close_batch()
        _say(closed(made))
        if made.closed and self._broker is not None:
            _print(await settlement_slip(self._broker, self._till.terminal.tid, made.batch) + "\n")
        return ()

    async def _reprint(self, entries: Entries) -> tuple[str, ...]:
        found = orders.named(self._till.terminal.record, entries.voucher)
        if isinstance(found, NotThere):
            return (found.reason,)
        if not KINDS[found.kind].slip:
            return (f"voucher: {orders.article(found.kind)} has no slip",)
        await self._print_slips(found.rrn, reprint=True)
        return ()

    async def _totals(self, _: Entries) -> tuple[str, ...]:
        record = self._till.terminal.record
        totals = record.totals(record.batch)
        return (
            f"批次 BATCH {record.batch or '(none)'}",
            f"借记 DEBIT {totals.debit_count}: RMB {Money(totals.debit_minor)}",
            f"贷记 CREDIT {totals.credit_count}: RMB {Money(totals.credit_minor)}",
        )

    async def _password(self, entries: Entries) -> tuple[str, ...]:
        return self._entered("密码已改 PASSWORD SET", self._till.terminal.set_password(entries.new_password))

    async def _cashier(self, entries: Entries) -> tuple[str, ...]:
        step = self._till.terminal.create_cashier(entries.cashier, entries.new_password)
        return self._entered(f"已增加 CASHIER {entries.cashier}", step)

    async def _reset(self, entries: Entries) -> tuple[str, ...]:
        step = self._till.terminal.reset_password(entries.who, entries.new_password)
        return self._entered(f"密码已重置 PASSWORD OF {entries.who} SET", step)

    async def _delete(self, entries: Entries) -> tuple[str, ...]:
        return self._entered(f"已删除 DELETED {entries.who}", self._till.terminal.delete_cashier(entries.who))

    def _set(self, setting: Setting, value: int) -> tuple[str, ...]:
        terminal = self._till.terminal
        step = terminal.set_parameters(setup.changed(terminal.record.parameters, setting, value))
        return *self._entered("参数已设 SET", step), *setup.shown(terminal.record.parameters)

    async def _download(self, entries: Entries) -> tuple[str, ...]:
        made = await self._till.download(entries.download)
        if made.version:
            return (f"下载完成 DOWNLOADED: version {made.version}, {made.records} records",)
        return (f"下载失败 NOT DOWNLOADED: {code(made.rc) if made.rc else made.refused or 'no answer'}",)

    def _entered(self, said: str, step: Step) -> tuple[str, ...]:
        """Something at the terminal alone: kept, or refused."""
        self._till.memory.append(step.save)
        return (step.outcome.reason if isinstance(step.outcome, Refused) else said,)


def _asked(kind: Kind, entries: Entries, card: Card) -> Asked:
    """What was keyed, as `lianji do` takes it."""
    by_slip = entries.by_slip
    return Asked(
        kind=kind,
        card=card,
        amount_minor=entries.amount_minor,
        pin=entries.pin,
        voucher="" if by_slip else entries.original,
        original=named(entries.original, entries.rrn, entries.authorization) if by_slip else None,
        plan=InstalmentPlan(periods=entries.periods) if entries.periods else None,
        target=entries.target,
        takes_part=False,
    )


def _plain(what: str, outcome: PlainOutcome | Refused) -> tuple[str, ...]:
    if isinstance(outcome, Refused):
        return (f"{what}: {outcome.reason}",)
    return (f"{what}: {code(outcome.response_code) if outcome.response_code else '无应答 no answer'}",)


def _say(lines: Iterable[str]) -> None:
    _print(note(lines))


def _print(text: str) -> None:
    print(text, end="", flush=True)
