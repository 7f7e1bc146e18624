"""`lianji load`: many terminals at once."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live

import world
from contracts.batch import MOST_WITH_SALES
from lianji import checks, options, tls
from lianji import line as lines
from lianji.errors import CliError, WrongUseError
from runtime import collecting, scheduling
from terminal_sim.chip_file import ChipFileError
from terminal_sim.day import Day
from terminal_sim.load import AT_ONCE, PATIENCE_S, LoadError, open_tills, run_load
from terminal_sim.memory import MemoryFileError
from terminal_sim.mix import Mix, MixError, read_mix
from terminal_sim.shaped import Shape
from terminal_sim.tally import LoadReport, Progress
from terminal_sim.wallet import Wallet
from world import Card, KeyScheme, Terminal


def load_terminals(scheme: KeyScheme, merchant: str = "", *, role: str = world.CONSUMPTION) -> list[Terminal]:
    """The terminals that are there for load. A merchant's come last one first: load on one merchant may run beside load on all."""
    first = min(world.LOAD_FIRST.values())
    there = (t for t in world.built_in().terminals if t.scheme is scheme and t.role == role)
    every = [t for t in there if int(t.tid) >= first]
    if not merchant:
        return every
    found = [t for t in reversed(every) if t.merchant == merchant]
    if not found:
        raise WrongUseError(
            f"merchant: {merchant!r} has no terminals for load; `lianji world --all` lists those that have"
        )
    return found


def of_the_mix(mix: Mix, there: list[Terminal], scheme: KeyScheme, merchant: str, count: int) -> list[Terminal]:
    """So many terminals, of which as many make transfers as the mix says and there are."""
    if not mix.transfers:
        return there[:count]
    wanted = max(1, round(count * mix.transfers)) if count > 1 else 0
    transfers = load_terminals(scheme, merchant, role=world.TRANSFER)[:wanted] if scheme is KeyScheme.SESSION else []
    return [*there[: count - len(transfers)], *transfers]


def load_cards(name: str) -> list[Card]:
    """The card of this name; without one, the cards that are there for load."""
    if not name:
        return list(world.load_cards())
    card = world.built_in().card(name)
    if card is None:
        raise WrongUseError(f"card: there is no {name!r}; `lianji world` lists them")
    return [card]


def mix_of(name: str) -> Mix | None:
    """None without a name; raises WrongUseError."""
    try:
        return read_mix(name) if name else None
    except MixError as error:
        raise WrongUseError(f"mix: {error}") from None


MOST_TERMINALS = len(load_terminals(KeyScheme.SESSION))
MOST_PER_S, LONGEST_S = 100_000, 604_800
"""Sales a second; a week."""
SLOW_PATIENCE_S = 180.0
"""For the last reversals, on lines with a shape: some calls, and a minute of waiting for an answer that does not come."""
FEWEST_TERMINALS, SALES_PER_TERMINAL_S = 64, 4
"""At a rate each terminal has a quarter of a second for a sale before sales have to wait for one."""


def terminals_for(rate: float, *, there: int) -> int:
    """As many terminals as a rate takes, of those that are there.

    >>> terminals_for(100, there=1000), terminals_for(1000, there=1000), terminals_for(9000, there=1000)
    (64, 250, 1000)
    """
    return min(there, max(FEWEST_TERMINALS, math.ceil(rate / SALES_PER_TERMINAL_S)))


def register(app: typer.Typer) -> None:
    @app.command()
    def load(
        concurrency: Annotated[
            int | None,
            typer.Option(help="Closed loop: sales in flight.", callback=checks.whole_between(1, MOST_TERMINALS)),
        ] = None,
        rate: Annotated[
            float | None,
            typer.Option(
                help="Open loop: sales per second, latency from the scheduled send.",
                callback=checks.between(0.01, MOST_PER_S),
            ),
        ] = None,
        terminals: Annotated[
            int | None,
            typer.Option(
                help="Terminals that take part; when left out as many as in flight, or as the rate takes (a quarter of it, at least 64).",
                callback=checks.whole_between(1, MOST_TERMINALS),
            ),
        ] = None,
        duration: Annotated[float, typer.Option(help="Seconds.", callback=checks.between(0.1, LONGEST_S))] = 10.0,
        merchant: Annotated[
            str,
            typer.Option(help="At terminals of this merchant alone, from its last one on: one shard has all the work."),
        ] = "",
        card: Annotated[str, typer.Option(help="With this card of `lianji world` alone.")] = "",
        mix: Annotated[
            str,
            typer.Option(
                help="Of everything, not of sales alone: a TOML file of shares, or `day`, the one that comes along."
            ),
        ] = "",
        batch: Annotated[
            int,
            typer.Option(
                help="A terminal closes its batch after so many sales; 0: when it is full.",
                callback=checks.whole_between(0, MOST_WITH_SALES),
            ),
        ] = 0,
        scheme: Annotated[
            KeyScheme, typer.Option(help="Whose keys: session keys of a sign-on, or derived ones.")
        ] = KeyScheme.SESSION,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        link: lines.Kind = None,
        loss: lines.Loss = None,
        link_seed: lines.Seed = None,
        keep_line: lines.Keep = None,
        json: options.Json = False,
    ) -> None:
        """Sell with many terminals, or with --mix do of everything, showing tx/s, latencies and outcomes; at the end every pending reversal is sent. SIGTERM ends it early."""
        if (concurrency is None) == (rate is None):
            raise WrongUseError("load: say either --concurrency or --rate; see `lianji load --help`")
        there = load_terminals(scheme, merchant)
        count = terminals or concurrency or terminals_for(rate or 0.0, there=len(there))
        if concurrency is not None and concurrency > count:
            raise WrongUseError(f"concurrency: {concurrency} sales in flight need as many terminals, not {count}")
        if count > len(there):
            where = f" at merchant {merchant}" if merchant else ""
            raise WrongUseError(
                f"terminals: the test world has {len(there)} with scheme {scheme.value}{where}, not {count}"
            )
        parts = mix_of(mix)
        chosen = there[:count] if parts is None else of_the_mix(parts, there, scheme, merchant, count)
        line = tls.line(tls_ca, tls_certificate, tls_key)
        shape = lines.shape(link, loss, link_seed, keep_line)
        with scheduling.meanwhile("batch", "load"), collecting.seldom_collected():
            report = options.run(
                _load(
                    data_dir, gateway, line, shape, chosen, load_cards(card), parts, concurrency, rate, duration, batch
                )
            )
        print(msgspec.json.encode(report).decode() if json else _text(report))
        if report.tx == 0:
            raise CliError(f"no sale was answered: {report.last_refusal or 'the gateway does not answer'}")


async def _load(
    data_dir: Path,
    gateway: str,
    line: tls.Tls | None,
    shape: Shape | None,
    facts: list[Terminal],
    cards: list[Card],
    mix: Mix | None,
    concurrency: int | None,
    rate: float | None,
    duration_s: float,
    batch_sales: int,
) -> LoadReport:
    host, port = options.gateway_address(data_dir, gateway, tls=line is not None)
    context = (lambda terminal: line.context(terminal.tid)) if line else None
    try:
        # With one card alone it is swiped: there is nothing to choose from.
        chips = world.load_cards(chips=True) if mix is not None and mix.cards.chips and len(cards) > 1 else ()
        wallet = Wallet(data_dir, chips)
        tills = open_tills(facts, host=host, port=port, data_dir=data_dir, tls=context, shape=shape)
    except (MemoryFileError, ChipFileError) as error:
        raise CliError(str(error)) from None
    except OSError as error:
        raise CliError(f"data-dir: {error.filename or data_dir}: {error.strerror}") from None
    console = Console(stderr=True, highlight=False)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def show(progress: Progress) -> None:
                if console.is_terminal:
                    live.update(_line(progress), refresh=True)
                else:
                    sys.stderr.write(_line(progress) + "\n")

            return await run_load(
                tills,
                cards,
                duration_s=duration_s,
                concurrency=concurrency,
                rate=rate,
                on_progress=show,
                batch_sales=batch_sales,
                day=None if mix is None else Day(mix, tills, cards, wallet),
                stop=stop,
                # With a shape it is the lines that take long, and not the host.
                patience_s=SLOW_PATIENCE_S if shape else PATIENCE_S,
                at_once=len(tills) if shape else AT_ONCE,
            )
    except LoadError as error:
        raise CliError(str(error)) from None
    finally:
        for till in tills:
            till.shut()
        wallet.close()


def _line(p: Progress) -> str:
    return (
        f"{p.elapsed_s:6.1f} s  {p.tx_s:7.0f} tx/s  p50 {p.p50_us / 1000:.1f} ms  p99 {p.p99_us / 1000:.1f} ms  "
        f"approved {p.approved}  declined {p.declined}  unknown {p.unknown}  reversed {p.reversed}"
    )


def _text(r: LoadReport) -> str:
    declined = ", ".join(f"{code} × {count}" for code, count in sorted(r.declined.items())) or "none"
    waited = (
        f"\nscheduled {r.scheduled}, at most {r.backlog} waited for a terminal, never sent {r.unsent}"
        if r.scheduled
        else ""
    )
    return (
        f"{r.tx} sales answered in {r.duration_s:.1f} s: {r.tx_s:.0f} tx/s over {r.terminals} terminals\n"
        f"latency p50 {r.p50_us / 1000:.2f} ms  p95 {r.p95_us / 1000:.2f} ms  p99 {r.p99_us / 1000:.2f} ms  "
        f"worst {r.max_us / 1000:.2f} ms\n"
        f"approved {r.approved}  declined {declined}\n"
        f"without a usable answer {r.unknown}, reversed {r.reversed}, reversals still pending {r.pending}, "
        f"not sent {r.refused}, batches closed {r.batches_closed}{waited}{_kinds(r)}"
    )


def _kinds(r: LoadReport) -> str:
    """A line for each kind of a mix, and how the cards came; nothing without one."""
    lines = [
        f"\n{kind:<18} {sum(codes.values()):>7}  " + ", ".join(f"{code} × {count}" for code, count in codes.items())
        for kind, codes in r.kinds.items()
    ]
    if r.entries:
        lines.append("\ncards: " + ", ".join(f"{name} {count}" for name, count in r.entries.items()))
    return "".join(lines)
