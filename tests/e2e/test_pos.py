"""`lianji pos` on a real stack, driven by a pipe."""

from __future__ import annotations

import re
import signal
import subprocess

from contracts.kinds import KINDS, Kind
from terminal_sim import memory_path, read_memory
from terminal_sim.shipped import Parameters
from tests.e2e.support import LIANJI, StackProcess, wait_until

SHOP, OTHER, TRANSFERS = "10000019", "10000014", "10000016"
"""Of one merchant."""
LOG_IN = ["01", "0000"]
PIN = "123456"


def stand(stack: StackProcess, terminal: str, *keys: str) -> subprocess.CompletedProcess[str]:
    """What somebody sees who keys this."""
    return subprocess.run(
        [LIANJI, "pos", "--data-dir", str(stack.data_dir), "--terminal", terminal],
        input="".join(f"{line}\n" for line in keys),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def in_one_line(seen: subprocess.CompletedProcess[str]) -> str:
    """Lines end after 32 columns, wherever that is."""
    return " ".join(seen.stdout.split())


def test_a_day_at_the_counter(stack: StackProcess) -> None:
    """One of each kind; every slip prints twice, and it is receipts' own."""
    day = [
        *("0", "1"),
        *("1", "debit-1", "1234", PIN),
        *("1", "debit-poor", "50000", PIN),
        *("4", "1", "credit-1", "100000", PIN),
    ]
    seen = stand(stack, OTHER, *LOG_IN, *day)
    assert seen.returncode == 0, seen.stderr
    assert "SIGNED ON" in seen.stdout
    assert "51 可用余额不足 insufficient funds" in in_one_line(seen)
    sale, _, hold = re.findall(r"凭证号 VOUCHER: (\d{6})", seen.stdout)
    rrn = re.findall(r"参考号 REFER: (\d{12})", seen.stdout)[0]
    slips = [stack.run("slip", rrn, *more).stdout for more in ([], ["--copy", "cardholder"])]
    assert all(slip and slip in seen.stdout for slip in slips)
    assert seen.stdout.count("POS签购单") == 4

    more = [
        *("4", "3", hold, "credit-1", "86000", PIN),
        *("5", "credit-1", PIN),
        *("6", "1", "credit-2", "120000", "12", "135790"),
        *("8", "debit-1", "2500"),
        *("2", sale, "debit-1", ""),
        *("0", "3", sale),
        "9",
    ]
    seen = stand(stack, OTHER, *LOG_IN, *more)
    assert seen.returncode == 0, seen.stderr
    for kind in (Kind.COMPLETION, Kind.INSTALMENT, Kind.OFFLINE_SALE, Kind.VOID):
        assert f"{KINDS[kind].chinese}({KINDS[kind].english})" in in_one_line(seen), f"the slip of a {kind}"
    assert "可用余额 AVAILABLE" in seen.stdout
    assert "TOLD" in seen.stdout, "the notice of the offline sale went ahead of the void"
    assert "--- 重打印 ---" in seen.stdout
    assert "本交易已被撤销(VOIDED)" in seen.stdout
    assert "对账平 BALANCED, CLOSED" in in_one_line(seen)
    assert "POS结算总计" in seen.stdout


def test_a_transfer_at_its_terminal(stack: StackProcess) -> None:
    seen = stand(stack, TRANSFERS, *LOG_IN, "7", "1", "debit-1", "credit-1", "2000", PIN)
    assert "转入卡号(TO CARD)" in seen.stdout, seen.stdout + seen.stderr


def test_the_system_operator_sets_the_terminal_up(stack: StackProcess) -> None:
    path = memory_path(stack.data_dir, SHOP)
    by_cashier = stand(stack, SHOP, *LOG_IN, *("0", "0", "1", "7", "3"))
    assert "only 99 sets parameters" in in_one_line(by_cashier)
    made = stand(
        stack,
        SHOP,
        "99",
        "12345678",
        *("0", "0", "1", "7", "3"),
        *("0", "0", "1", "2", "1"),
        *("1", "debit-1", "100", PIN),
    )
    assert made.returncode == 0, made.stderr
    assert "脱机笔数 OFFLINE NOTICES: 3" in in_one_line(made)
    assert "takes no cards" in in_one_line(made)
    kept = read_memory(path).parameters
    assert (kept.offline_most, kept.supervisor_for_refunds) == (3, True)
    stand(stack, SHOP, "99", "12345678", *("0", "0", "1", "7", "20"), *("0", "0", "1", "2", "0"))
    assert read_memory(path).parameters == Parameters()


def test_wrong_keys_are_said_and_nothing_is_sent(stack: StackProcess) -> None:
    seen = stand(stack, SHOP, "01", "1111", *LOG_IN, "x", "1", "nobody", "debit-1", "12.34", "1234", "1", "*")
    assert seen.returncode == 0, seen.stderr
    for wrong in ("登录失败", "menu: key one of", "card: there is none", "amount: digits only", "pin: 4 to 12 digits"):
        assert wrong in in_one_line(seen)
    assert "VOUCHER:" not in seen.stdout


def test_keys_that_end_in_the_middle_end_it_with_one_line(stack: StackProcess) -> None:
    seen = stand(stack, SHOP, *LOG_IN, "1", "debit-1")
    assert (seen.returncode, seen.stderr) == (1, "lianji: input: it ended where amount was asked\n")


def test_a_ctrl_c_during_a_transaction_leaves_its_reversal(stack: StackProcess) -> None:
    counter = subprocess.Popen(
        [LIANJI, "pos", "--data-dir", str(stack.data_dir), "--terminal", SHOP],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert counter.stdin is not None
    counter.stdin.write("".join(f"{keys}\n" for keys in (*LOG_IN, "1", "slow-1", "4321", PIN)))
    counter.stdin.flush()
    wait_until(lambda: read_memory(memory_path(stack.data_dir, SHOP)).pending is not None, "the sale is on the line")
    counter.send_signal(signal.SIGINT)
    _, errors = counter.communicate(timeout=60)
    assert (counter.returncode, errors) == (130, "lianji: interrupted\n")

    seen = stand(stack, SHOP, *LOG_IN, "1", "debit-ic/I", "100", PIN)
    assert "REVERSAL WAITS" in seen.stdout
    assert re.search(r"冲正 REVERSED \d{6}: 00", seen.stdout)
    assert "00 交易成功 approved" in seen.stdout
    assert re.search(r"卡号\(CARD NO\):\s+\S+ /I", seen.stdout), "its chip was read"
