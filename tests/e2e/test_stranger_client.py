"""A client that imports nothing of the project, written from docs/terminal-protocol.md alone: it signs on and sells.

Sockets, and the DES of `cryptography`. The chapters in the comments are that page's.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

pytestmark = [pytest.mark.broker, pytest.mark.processes]

# Chapter 3: number -> (content, kind of length, length)
TABLE: dict[int, tuple[str, str, int]] = {
    2: ("n", "LL", 19),
    3: ("n", "", 6),
    4: ("n", "", 12),
    11: ("n", "", 6),
    12: ("n", "", 6),
    13: ("n", "", 4),
    14: ("n", "", 4),
    15: ("n", "", 4),
    22: ("n", "", 3),
    25: ("n", "", 2),
    26: ("n", "", 2),
    32: ("n", "LL", 11),
    35: ("n", "LL", 37),
    37: ("a", "", 12),
    38: ("a", "", 6),
    39: ("a", "", 2),
    41: ("a", "", 8),
    42: ("a", "", 15),
    44: ("a", "LL", 25),
    48: ("n", "LLL", 322),
    49: ("a", "", 3),
    52: ("b", "", 8),
    53: ("n", "", 16),
    59: ("b", "LLL", 255),
    60: ("n", "LLL", 19),
    62: ("b", "LLL", 999),
    63: ("a", "LLL", 163),
    64: ("b", "", 8),
}
Fields = dict[int, Any]


def pack(mti: str, fields: Fields) -> bytes:
    """Chapter 2: a body."""
    bits, content = 0, b""
    for number in sorted(fields):
        kind, prefix, _ = TABLE[number]
        value = fields[number]
        bits |= 1 << (64 - number)
        if prefix:
            content += bytes.fromhex(f"{len(value):0{2 if prefix == 'LL' else 4}d}")
        if kind == "n":
            content += bytes.fromhex(value + "0" * (len(value) % 2))
        else:
            content += value if kind == "b" else value.encode()
    return bytes.fromhex("6005250000" + "603100000000" + mti) + bits.to_bytes(8, "big") + content


def unpack(body: bytes) -> tuple[str, Fields]:
    mti, bits, at, fields = body[11:13].hex(), int.from_bytes(body[13:21], "big"), 21, {}
    for number in range(2, 65):
        if not bits >> (64 - number) & 1:
            continue
        kind, prefix, length = TABLE[number]
        if prefix:
            size = 1 if prefix == "LL" else 2
            length, at = int(body[at : at + size].hex()), at + size
        size = (length + 1) // 2 if kind == "n" else length
        raw, at = body[at : at + size], at + size
        fields[number] = raw.hex()[:length] if kind == "n" else raw if kind == "b" else raw.decode()
    assert at == len(body)
    return mti, fields


def des(key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    """Chapter 5: ECB without padding; K1|K2 as K1|K2|K1, a single key three times."""
    cipher = Cipher(TripleDES(key * 3 if len(key) == 8 else key + key[:8]), modes.ECB())  # noqa: S305 - the protocol's
    work = cipher.decryptor() if decrypt else cipher.encryptor()
    return work.update(data) + work.finalize()


def mac(key: bytes, block: bytes) -> bytes:
    """Chapter 6: CUP-ECB."""
    block += bytes(-len(block) % 8)
    folded = 0
    for at in range(0, len(block), 8):
        folded ^= int.from_bytes(block[at : at + 8], "big")
    text = f"{folded:016X}".encode()
    second = bytes(a ^ b for a, b in zip(des(key, text[:8]), text[8:], strict=True))
    return des(key, second).hex().upper()[:8].encode()


def pin_block(key: bytes, pin: str, pan: str) -> bytes:
    """Chapter 7."""
    clear = int(f"0{len(pin):X}{pin}".ljust(16, "F"), 16) ^ int(pan[-13:-1], 16)
    return des(key, clear.to_bytes(8, "big"))


class Client:
    def __init__(self, terminal: dict[str, Any]) -> None:
        self.tid, self.mid, self.tmk = terminal["tid"], terminal["mid"], bytes.fromhex(terminal["tmk"])
        self.line = socket.create_connection((terminal["host"], terminal["port"]), timeout=25)
        self.batch, self.stan = "000000", 0
        self.pik = self.mak = b""

    def next_stan(self) -> str:
        self.stan += 1
        return f"{self.stan:06d}"

    def exchange(self, body: bytes) -> bytes:
        self.line.sendall(len(body).to_bytes(2, "big") + body)
        return self.read(int.from_bytes(self.read(2), "big"))

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.line.recv(count - len(data))
            assert more, "the host closed the connection"
            data += more
        return data

    def ask(self, mti: str, fields: Fields) -> tuple[str, Fields]:
        return unpack(self.exchange(pack(mti, {41: self.tid, 42: self.mid, **fields})))

    def sign_on(self, code: str = "003") -> None:
        """Chapter 5."""
        mti, answer = self.ask("0800", {11: self.next_stan(), 60: f"00{self.batch}{code}", 63: "001"})
        assert (mti, answer[39]) == ("0810", "00")
        self.batch = answer[60][2:8]
        size = {"001": 8, "003": 16}[code]
        keys = answer[62]
        assert len(keys) == 2 * (size + 4)
        self.pik = self.open(keys[:size], keys[size : size + 4])
        self.mak = self.open(keys[size + 4 : -4], keys[-4:])

    def open(self, cryptogram: bytes, check_value: bytes) -> bytes:
        if len(cryptogram) == 16 and not any(cryptogram[8:]):
            cryptogram = cryptogram[:8]
        key = des(self.tmk, cryptogram, decrypt=True)
        assert des(key, bytes(8))[:4] == check_value
        return key

    def sale(self, card: dict[str, Any], amount: int, pin: str) -> Fields:
        """Chapter 8, all but the MAC."""
        fields = {
            3: "000000",
            4: f"{amount:012d}",
            11: self.next_stan(),
            22: "021" if pin else "022",
            25: "00",
            35: card["track2"],
            49: "156",
            60: f"22{self.batch}000",
        }
        if pin:
            fields |= {26: "12", 52: pin_block(self.pik, pin, card["pan"]), 53: "2600000000000000"}
        return fields

    def sealed(self, mti: str, fields: Fields) -> bytes:
        body = pack(mti, {41: self.tid, 42: self.mid, **fields, 64: bytes(8)})
        return body[:-8] + mac(self.mak, body[11:-8])

    def trade(self, mti: str, fields: Fields) -> Fields:
        """A message with MAC; the answer's MAC is checked."""
        body = self.exchange(self.sealed(mti, fields))
        answer_mti, answer = unpack(body)
        assert answer_mti == {"0200": "0210", "0400": "0410"}[mti]
        assert answer[64] == mac(self.mak, body[11:-8])
        return answer

    def reversal_of(self, sale: Fields) -> Fields:
        """Chapter 9."""
        return {number: sale[number] for number in (3, 4, 11, 22, 25, 49, 60)} | {39: "98"}

    def settle(self, amount: int, count: int) -> str:
        """Chapter 10: the result digit."""
        totals = f"{amount:012d}{count:03d}".ljust(62, "0")
        fields = {11: self.next_stan(), 48: totals, 49: "156", 60: f"00{self.batch}201", 63: "001"}
        mti, answer = self.ask("0500", fields)
        assert mti == "0510"
        assert 39 not in answer
        return str(answer[48][30])


@pytest.fixture
def client(stack: Any) -> Iterator[Client]:
    client = Client(next(t for t in stack.world["terminals"] if t["tid"] == "10000003"))
    yield client
    client.line.close()


@pytest.fixture
def cards(stack: Any) -> dict[str, dict[str, Any]]:
    return {card["name"]: card for card in stack.world["cards"]}


def test_the_vectors_of_the_page() -> None:
    pik = bytes.fromhex("D931648F3DE313A4A22C15DCA4F4299E")
    assert pin_block(pik, "123456", "123456789012345678").hex().upper() == "E77251AE2634A4AA"
    assert pin_block(pik, "123456", "1234567890123456").hex().upper() == "3493B505341CD8F5"


def test_a_stranger_signs_on_sells_reverses_and_settles(client: Client, cards: dict[str, dict[str, Any]]) -> None:
    debit, credit = cards["debit-1"], cards["credit-1"]
    client.sign_on("001")
    client.sign_on("003")

    first = client.sale(debit, 1234, debit["pin"])
    answer = client.trade("0200", first)
    assert answer[39] == "00"
    assert len(answer[38]) == 6
    assert (answer[2], answer[4], answer[11], answer[63]) == (debit["pan"], "000000001234", first[11], "CUP")
    assert client.exchange(client.sealed("0200", first)) == client.exchange(client.sealed("0200", first))
    assert client.trade("0200", first)[37] == answer[37]
    assert client.trade("0200", first | {4: "000000009999"})[39] == "94"

    assert client.trade("0200", client.sale(credit, 5600, ""))[39] == "00"
    wrong = "000000" if debit["pin"] != "000000" else "111111"
    assert client.trade("0200", client.sale(debit, 100, wrong))[39] == "55"

    regretted = client.sale(credit, 700, credit["pin"])
    assert client.trade("0200", regretted)[39] == "00"
    for _ in range(2):
        assert client.trade("0400", client.reversal_of(regretted))[39] == "00"
    never_sent = client.sale(credit, 800, credit["pin"])
    assert client.trade("0400", client.reversal_of(never_sent))[39] == "00"
    assert client.trade("0200", never_sent)[39] == "12"

    assert client.settle(1234, 1) == "2"
    assert client.settle(1234 + 5600, 2) == "1"
    closed = client.batch
    client.sign_on()
    assert client.batch != closed
    assert client.settle(0, 0) == "1"


def test_what_a_stranger_does_wrong_is_answered(client: Client, cards: dict[str, dict[str, Any]]) -> None:
    assert client.ask("0820", {60: "00000000301"})[1][39] == "00"
    client.sign_on()
    sale = client.sale(cards["debit-1"], 100, cards["debit-1"]["pin"])
    body = client.sealed("0200", sale)
    reply = client.exchange(body[:-8] + b"00000000")
    assert unpack(reply)[1][39] == "A0"
    assert 64 not in unpack(reply)[1]
    assert reply[5:11].hex()[5] == "3"
    assert client.ask("0820", {60: "00000000301", 41: "99999999"})[1][39] == "97"
    assert client.ask("0820", {60: "00000000301", 42: "0" * 15})[1][39] == "03"
    assert client.trade("0200", {n: v for n, v in sale.items() if n != 4})[39] == "30"
    assert client.trade("0200", sale | {52: bytes(8)})[39] == "99"
    assert client.trade("0200", sale | {3: "310000"})[39] == "40"
    client.line.sendall(b"\x00\x00")
    assert client.line.recv(1) == b""
