"""Two more clients that import nothing of the project, written from docs/terminal-protocol.md alone: terminals that derive their keys.

Sockets, and the DES, AES and CMAC of `cryptography`. Framing and sale are the other stranger's; the chapters in the comments are that page's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tests.e2e.test_stranger_client import Client, Fields, des, pack, pin_block, unpack

pytestmark = [pytest.mark.broker, pytest.mark.processes]

C = bytes.fromhex("C0C0C0C000000000C0C0C0C000000000")
PIN, REQUEST, ANSWER = "pin", "request", "answer"


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def ones(counter: int) -> list[int]:
    """From the highest bit to the lowest."""
    return [1 << n for n in range(31, -1, -1) if counter >> n & 1]


# Chapter 14, The keys of a TDES terminal


def half(key: bytes, register: bytes) -> bytes:
    return xor(des(key[:8], xor(register, key[8:])), key[8:])


def tdes_transaction_key(initial: bytes, ksn: bytes) -> bytes:
    counter = int.from_bytes(ksn[-3:], "big") & 0x1FFFFF
    key, register = initial, int.from_bytes(ksn[-8:], "big") - counter
    for bit in ones(counter):
        register |= bit
        data = register.to_bytes(8, "big")
        key = half(xor(key, C), data) + half(key, data)
    return key


def tdes_key(initial: bytes, ksn: bytes, use: str) -> bytes:
    variant = {
        PIN: "00000000000000FF00000000000000FF",
        REQUEST: "000000000000FF00000000000000FF00",
        ANSWER: "00000000FF00000000000000FF000000",
    }[use]
    return xor(tdes_transaction_key(initial, ksn), bytes.fromhex(variant))


def x9_19(key: bytes, data: bytes) -> bytes:
    """Chapter 6."""
    data += bytes(-len(data) % 8)
    block = bytes(8)
    for at in range(0, len(data), 8):
        block = des(key[:8], xor(block, data[at : at + 8]))
    return des(key[:8], des(key[8:], block, decrypt=True))


# Chapter 14, The keys of an AES terminal


def aes(key: bytes, block: bytes) -> bytes:
    work = Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305 - the protocol's
    return work.update(block) + work.finalize()


def derived(key: bytes, usage: str, ksn: bytes) -> bytes:
    return aes(key, bytes.fromhex("0101" + usage + "0002" + "0080") + ksn[-8:])


def aes_key(initial: bytes, ksn: bytes, use: str) -> bytes:
    key, reached = initial, 0
    for bit in ones(int.from_bytes(ksn[-4:], "big")):
        reached |= bit
        key = derived(key, "8000", ksn[:8] + reached.to_bytes(4, "big"))
    return derived(key, {PIN: "1000", REQUEST: "2000", ANSWER: "2001"}[use], ksn)


def aes_mac(key: bytes, data: bytes) -> bytes:
    """Chapter 6."""
    work = CMAC(AES(key))
    work.update(data)
    return work.finalize()[:8]


def long_pin_block(key: bytes, pin: str, pan: str) -> bytes:
    """Chapter 7, format 4."""
    first = bytes.fromhex(f"4{len(pin):X}{pin}".ljust(16, "A")) + secrets.token_bytes(8)
    second = bytes.fromhex(f"{len(pan) - 12}{pan}".ljust(32, "0"))
    return aes(key, xor(aes(key, first), second))


class DerivingClient(Client):
    """Chapter 14: signs on for the batch number, and has a counter for each message."""

    derive: Callable[[bytes, bytes, str], bytes]
    mac_of: Callable[[bytes, bytes], bytes]
    long_blocks: bool

    def __init__(self, terminal: dict[str, Any]) -> None:
        super().__init__(terminal | {"tmk": ""})
        self.initial, self.zero = bytes.fromhex(terminal["ik"]), int(terminal["ksn"], 16)
        self.ksn_length, self.counter = len(terminal["ksn"]) // 2, 0

    @property
    def ksn(self) -> bytes:
        return (self.zero + self.counter).to_bytes(self.ksn_length, "big")

    def key(self, use: str) -> bytes:
        return type(self).derive(self.initial, self.ksn, use)

    def sign_on(self, code: str = "003") -> None:
        mti, answer = self.ask("0800", {11: self.next_stan(), 60: f"00{self.batch}{code}", 63: "001"})
        assert (mti, answer[39]) == ("0810", "00")
        assert 62 not in answer
        self.batch = answer[60][2:8]

    def next_message(self) -> Fields:
        """Field 59 of a message with a counter of its own."""
        self.counter += 1
        return {59: b"\xdf\x01" + bytes([len(self.ksn)]) + self.ksn}

    def sale(self, card: dict[str, Any], amount: int, pin: str) -> Fields:
        fields = super().sale(card, amount, "") | self.next_message()
        if pin:
            fields |= {22: "021", 26: "12"}
            if self.long_blocks:
                block = long_pin_block(self.key(PIN), pin, card["pan"])
                fields |= {53: "4400000000000000", 59: fields[59] + b"\xdf\x02\x10" + block}
            else:
                fields |= {52: pin_block(self.key(PIN), pin, card["pan"]), 53: "2600000000000000"}
        return fields

    def reversal_of(self, sale: Fields) -> Fields:
        return super().reversal_of(sale) | self.next_message()

    def sealed(self, mti: str, fields: Fields) -> bytes:
        body = pack(mti, {41: self.tid, 42: self.mid, **fields, 64: bytes(8)})
        return body[:-8] + type(self).mac_of(self.key(REQUEST), body[11:-8])

    def trade(self, mti: str, fields: Fields) -> Fields:
        body = self.exchange(self.sealed(mti, fields))
        answer_mti, answer = unpack(body)
        assert answer_mti == {"0200": "0210", "0400": "0410"}[mti]
        assert answer[64] == type(self).mac_of(self.key(ANSWER), body[11:-8])
        assert 59 not in answer
        return answer


class TdesClient(DerivingClient):
    derive, mac_of, long_blocks = staticmethod(tdes_key), staticmethod(x9_19), False


class AesClient(DerivingClient):
    derive, mac_of, long_blocks = staticmethod(aes_key), staticmethod(aes_mac), True


CLIENTS: dict[str, type[DerivingClient]] = {"dukpt-tdes": TdesClient, "dukpt-aes": AesClient}
WANTED = {"dukpt-tdes": ("x9.19", "iso-0"), "dukpt-aes": ("aes-cmac", "iso-4")}


@pytest.fixture(params=list(CLIENTS))
def client(stack: Any, request: pytest.FixtureRequest) -> Iterator[DerivingClient]:
    scheme = request.param
    client = CLIENTS[scheme](
        next(
            t
            for t in stack.world["terminals"]
            if t["scheme"] == scheme and (t["mac"], t["pin_format"]) == WANTED[scheme] and t["status"] == "active"
        )
    )
    yield client
    client.line.close()


@pytest.fixture
def cards(stack: Any) -> dict[str, dict[str, Any]]:
    return {card["name"]: card for card in stack.world["cards"]}


def test_the_vectors_of_the_page() -> None:
    initial, ksn = bytes.fromhex("8E3E6C02C3B67DC0E8F6E3B8A50D581B"), bytes.fromhex("FF482110000009000003")
    assert tdes_transaction_key(initial, ksn).hex().upper() == "22D5B3092FC0C5BD54D29B509A3ACEC4"
    initial, ksn = bytes.fromhex("D7C3352FEF5A1A5F719DDDC962B6C3D2"), bytes.fromhex("482100011000001000000001")
    assert aes_key(initial, ksn, ANSWER).hex().upper() == "16CD86AA1D62AD2AD5ACA93C17ED869A"
    key = bytes.fromhex("042666B4918430A368DE9628D03984C9")
    assert x9_19(key, b"4012345678909D987").hex().upper() == "9CCC78173FC4FB64"


def test_a_stranger_that_derives_its_keys_sells_reverses_and_settles(
    client: DerivingClient, cards: dict[str, dict[str, Any]]
) -> None:
    debit, credit = cards["debit-1"], cards["credit-1"]
    client.sign_on()

    first = client.sale(debit, 1234, debit["pin"])
    answer = client.trade("0200", first)
    assert answer[39] == "00"
    assert client.exchange(client.sealed("0200", first)) == client.exchange(client.sealed("0200", first))
    assert client.trade("0200", first)[37] == answer[37]
    assert client.trade("0200", first | {4: "000000009999"})[39] == "94"

    assert client.trade("0200", client.sale(credit, 5600, credit["pin"]))[39] == "00"
    assert client.trade("0200", client.sale(credit, 400, ""))[39] == "00"
    for card in (debit, credit):
        assert client.trade("0200", client.sale(card, 100, "000000"))[39] == "55"

    regretted = client.sale(credit, 700, credit["pin"])
    assert client.trade("0200", regretted)[39] == "00"
    for _ in range(2):
        assert client.trade("0400", client.reversal_of(regretted))[39] == "00"

    client.counter = 0x7FD  # the next has ten ones, the one after it would have eleven in a TDES terminal
    assert client.trade("0200", client.sale(credit, 300, credit["pin"]))[39] == "00"

    assert client.settle(1234 + 5600 + 400 + 300, 4) == "1"
    closed = client.batch
    client.sign_on()
    assert client.batch != closed
    assert client.settle(0, 0) == "1"


def test_what_a_stranger_does_wrong_with_serial_numbers_is_answered(
    client: DerivingClient, cards: dict[str, dict[str, Any]]
) -> None:
    client.sign_on()
    card = cards["debit-1"]
    sale = client.sale(card, 100, card["pin"])
    body = client.exchange(client.sealed("0200", sale)[:-8] + bytes(8))
    assert unpack(body)[1][39] == "A0"
    assert 64 not in unpack(body)[1]
    assert body[5:11].hex()[5] == "0"  # a sign-on would not help
    stolen = bytearray(sale[59])
    stolen[8] ^= 0x02  # a digit of the terminal's number
    assert unpack(client.exchange(client.sealed("0200", sale | {59: bytes(stolen)})))[1][39] == "A0"
    assert unpack(client.exchange(client.sealed("0200", {n: v for n, v in sale.items() if n != 59})))[1][39] == "30"
    assert client.trade("0200", sale | {53: "3600000000000000"})[39] == "30"
    assert client.trade("0200", client.sale(card, 100, card["pin"]))[39] == "00"
