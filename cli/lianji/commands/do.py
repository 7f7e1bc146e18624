"""`lianji do`: every kind of transaction at one terminal."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

import world
from contracts.authorization import Original
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.money import Money
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from lianji import line as lines
from lianji import options, tls
from lianji.commands.swipe import (
    amount_of,
    as_json,
    card_named,
    check_pin,
    exit_code,
    open_terminal,
    read_by,
    say_signed_on,
    show,
    transact,
)
from lianji.errors import WrongUseError
from terminal_sim import orders
from terminal_sim.cards import Card, Keyed
from terminal_sim.orders import NotThere, Order
from terminal_sim.record import TerminalRecord
from terminal_sim.results import SwipeResult
from terminal_sim.shipped import DEFAULT_OPERATOR, DEFAULT_PASSWORD
from terminal_sim.till import Till

VOIDS = frozenset(orders.VOIDS.values())


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say; empty, or 0, where one was left out."""

    kind: Kind
    card: Card
    amount_minor: int
    pin: str
    voucher: str
    original: Original | None
    plan: InstalmentPlan | None
    target: Pan | None
    takes_part: bool


def register(app: typer.Typer) -> None:
    @app.command()
    def do(
        kind: Annotated[Kind, typer.Argument(help="What to do; `void` undoes whatever the voucher is of.")],
        card: Annotated[str, typer.Option(help="A card of `lianji world`, by name.")],
        amount: Annotated[
            str, typer.Option(help="Like 12.34; not for a balance or a card check, nor with --voucher for a void.")
        ] = "",
        pin: Annotated[str, typer.Option(help="4 to 12 digits; empty when the cardholder keys none.")] = "",
        voucher: Annotated[str, typer.Option(help="Of the original, at this terminal: 000012, or BATCH/000012.")] = "",
        original: Annotated[
            str,
            typer.Option(help="The original as its slip has it: BATCH/VOUCHER/MMDD, with --rrn or --authorization."),
        ] = "",
        rrn: Annotated[str, typer.Option(help="The original's reference number.")] = "",
        authorization: Annotated[str, typer.Option(help="The original's authorization code.")] = "",
        periods: Annotated[
            int, typer.Option(help="Of an instalment sale: in how many parts it is paid.", min=0, max=99)
        ] = 0,
        goods: Annotated[str, typer.Option(help="Of an instalment sale: what is bought, ASCII.")] = "",
        to: Annotated[str, typer.Option(help="Of a transfer: the card that it goes to, by name.")] = "",
        part: Annotated[
            bool, typer.Option("--part", help="Of a sale: take less, too, when there is not enough.")
        ] = False,
        keyed: Annotated[bool, typer.Option("--keyed", help="Key the card's number instead of swiping it.")] = False,
        chip: Annotated[bool, typer.Option("--chip", help="Put the card in, so that its chip is read.")] = False,
        contactless: Annotated[bool, typer.Option("--contactless", help="Hold the card before the reader.")] = False,
        terminal: Annotated[str, typer.Option(help="A terminal of `lianji world`.")] = "10000001",
        operator: Annotated[str, typer.Option(help="Who stands at the terminal.")] = DEFAULT_OPERATOR,
        password: Annotated[str, typer.Option(help="The operator's.")] = DEFAULT_PASSWORD,
        approval: Annotated[str, typer.Option(help="The supervisor's password, where the terminal asks for it.")] = "",
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        lose_answer: Annotated[bool, typer.Option("--lose-answer", help="Lose the answer on the line.")] = False,
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        link: lines.Kind = None,
        loss: lines.Loss = None,
        link_seed: lines.Seed = None,
        keep_line: lines.Keep = None,
        json: options.Json = False,
    ) -> None:
        """Any kind of transaction: sale, void, refund, pre-auth, completion, balance, instalment, transfer … Exits as `lianji swipe` does."""
        facts = card_named(card)
        check_pin(pin)
        if keyed + chip + contactless > 1:
            raise WrongUseError("keyed: say one of --keyed, --chip and --contactless")
        asked = Asked(
            kind=kind,
            card=Keyed(pan=facts.pan, expiry=facts.expiry) if keyed else world.track2(facts),
            amount_minor=amount_of(amount).minor if amount else 0,
            pin=pin,
            voucher=voucher,
            original=named(original, rrn, authorization),
            plan=InstalmentPlan(periods=periods, goods=goods) if periods else None,
            target=card_named(to, "to").pan if to else None,
            takes_part=part,
        )
        check(asked)
        line = tls.line(tls_ca, tls_certificate, tls_key)
        shape = lines.shape(link, loss, link_seed, keep_line)

        def opened() -> Till:
            till = open_terminal(data_dir, gateway, terminal, line, shape)
            till.operator, till.password = operator, password
            return till

        with read_by(data_dir, facts, chip=chip, contactless=contactless) as read:
            if read is not None:
                asked = msgspec.structs.replace(asked, card=read)
            result, signed_on = options.run(
                transact(
                    opened,
                    lambda till: transaction(till, asked, approval),
                    lose_answer=lose_answer,
                    alone=kind is Kind.OFFLINE_SALE,
                )
            )
        if json:
            print(msgspec.json.encode(_as_json(result, terminal, facts)).decode())
        else:
            say_signed_on(terminal, signed_on)
            show(result, _head(result, facts, kind))
        raise typer.Exit(0 if result.stored and not result.reason else exit_code(result))


def named(original: str, rrn: str, authorization: str) -> Original | None:
    """Fields 61, 37 and 38 as the options say them; raises WrongUseError."""
    if not original:
        if rrn or authorization:
            raise WrongUseError(f"{'rrn' if rrn else 'authorization'}: goes with --original BATCH/VOUCHER/MMDD")
        return None
    parts = original.split("/")
    digits = all(part.isascii() and part.isdigit() for part in parts)
    if len(parts) != 3 or not digits or max(map(len, parts[:2])) > 6 or len(parts[2]) != 4:
        raise WrongUseError(f"original: {original!r} is not BATCH/VOUCHER/MMDD; write it like 000001/000012/0131")
    if rrn and len(rrn) != 12:
        raise WrongUseError(f"rrn: {rrn!r} has not 12 characters")
    if authorization and len(authorization) != 6:
        raise WrongUseError(f"authorization: {authorization!r} has not 6 characters")
    batch, stan, date = parts
    return Original(batch=f"{batch:0>6}", stan=f"{stan:0>6}", date=date, rrn=rrn, authorization_code=authorization)


def check(asked: Asked) -> None:
    """Raises WrongUseError for an option that the kind lacks, or does not have."""
    kind = asked.kind
    about, void = kind in CLAIMS, kind in VOIDS and asked.voucher != ""
    wants_amount = KINDS[kind].effect is not Effect.LOOKS and not void
    rows = (
        ("amount", asked.amount_minor != 0, wants_amount),
        ("voucher", asked.voucher != "" or asked.original is not None, about),
        ("periods", asked.plan is not None, kind is Kind.INSTALMENT),
        ("to", asked.target is not None, kind is Kind.TRANSFER),
    )
    for option, given, wanted in rows:
        if given and not wanted:
            raise WrongUseError(f"{option}: {orders.article(kind)} has none{' beside --voucher' if void else ''}")
        if wanted and not given:
            raise WrongUseError(
                f"{option}: {orders.article(kind)} needs one{' (or --original)' if option == 'voucher' else ''}"
            )
    if asked.voucher and asked.original is not None:
        raise WrongUseError("voucher: say either --voucher or --original")
    if asked.takes_part and kind is not Kind.SALE:
        raise WrongUseError(f"part: {orders.article(kind)} has none")


async def transaction(till: Till, asked: Asked, approval: str = "") -> SwipeResult:
    """What was asked for, at this terminal."""
    if asked.kind is Kind.OFFLINE_SALE:
        return await till.sell_offline(asked.card, asked.amount_minor)
    if asked.kind is Kind.TRANSFER and asked.target is not None:
        return await till.transfer(asked.card, asked.target, asked.amount_minor, asked.pin)
    return await till.do_when_ready(asked.kind, lambda: order_of(till.terminal.record, asked), approval=approval)


def order_of(record: TerminalRecord, asked: Asked) -> Order | NotThere:
    """The order, once the terminal knows what it is about."""
    kind, card, amount = asked.kind, asked.card, asked.amount_minor
    if kind in VOIDS and asked.voucher:
        made = orders.void(record, asked.voucher, card, asked.pin)
        if isinstance(made, Order) and kind not in (Kind.VOID, made.kind):
            return NotThere(reason=f"voucher: what undoes {asked.voucher} is a {made.kind}, not a {kind}")
        return made
    if kind in CLAIMS:
        return orders.claim(record, kind, asked.original or asked.voucher, card, amount, pin=asked.pin)
    return Order(kind=kind, card=card, amount_minor=amount, pin=asked.pin, plan=asked.plan, takes_part=asked.takes_part)


def _head(result: SwipeResult, card: world.Card, kind: Kind) -> str:
    """What the result is of. The kind that was ordered is not always the one that was made: `void`, and the check before a transfer."""
    made = kind if result.refused else result.kind
    amount = f"  RMB {Money(result.amount_minor)}" if result.amount_minor else ""
    return f"{card.pan}  {KINDS[made].chinese} {KINDS[made].english}{amount}"


def _as_json(result: SwipeResult, terminal: str, card: world.Card) -> dict[str, Any]:
    return {
        "kind": result.kind.value,
        **as_json(result, terminal, card, Money(result.amount_minor)),
        "part_minor": result.part_minor,
        "stored": result.stored,
        "balance": result.balance,
        "instalment": result.terms,
    }
