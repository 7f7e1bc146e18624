"""Framing: lengths, pieces, TPDU and header, and what cannot be read."""

from __future__ import annotations

from iso8583 import Header, Message, encode, frame
from lianji.certify.case import Section
from lianji.certify.desk import Desk
from lianji.certify.rig import Rig
from lianji.certify.sealed import Sealed, plain
from lianji.certify.verdict import expect, require

SECTION = Section("line", "Line and framing")
_OTHER_TPDU = bytes.fromhex("6012345678")
_FRAME_S = 5.0
"""A frame that has begun must be whole within it (chapter 2)."""
_HEADER_AT, _MTI_AT, _BITMAP_AT, _FIELDS_AT = 5, 11, 13, 21


def echo(desk: Desk) -> Sealed:
    """What a host answers without knowing of the terminal more than that there is one."""
    return plain(desk.messages.echo(batch=desk.batch))


async def closes(rig: Rig, data: bytes, *, within_s: float = _FRAME_S) -> None:
    """The host answers these bytes by the end of the connection, and with nothing else."""
    line = await rig.main.dial()
    line.write(data)
    body = await line.read(within_s=within_s)
    line.close()
    require(body is None, "the host answered, and was to close the connection")


async def refuses(rig: Rig, body: bytes, code: str = "30") -> None:
    """A body that is no good message is answered with a code, or the connection is closed if nothing of it could be read."""
    desk = rig.main
    line = await desk.dial()
    try:
        answer, _ = await desk.raw(Sealed(echo(desk).message, body), line=line)
    finally:
        line.close()
    expect("39 (response code)", wanted=code, got=answer.text(39))


@SECTION.case("2")
async def tpdu_swapped(rig: Rig) -> None:
    """The answer's TPDU is the request's with destination and source swapped"""
    desk = rig.main
    asked = echo(desk).message
    message = Message(asked.mti, asked.fields, _OTHER_TPDU)
    answer, _ = await desk.raw(Sealed(message, encode(message)))
    expect("TPDU", wanted="6056781234", got=answer.tpdu.hex())


@SECTION.case("2")
async def header_repeated(rig: Rig) -> None:
    """The answer's header is the request's, with a processing requirement of its own"""
    desk = rig.main
    asked = echo(desk).message
    header = Header("61", "31", "1", "0", "123456")
    message = Message(asked.mti, asked.fields, asked.tpdu, header)
    answer, _ = await desk.raw(Sealed(message, encode(message)))
    expect("header", wanted=header, got=answer.header._replace(processing="0"))


@SECTION.case("2")
async def frame_in_pieces(rig: Rig) -> None:
    """A frame that comes byte by byte is a frame"""
    desk = rig.main
    line, asked = await desk.line(), echo(desk)
    for byte in frame(asked.body):
        line.write(bytes([byte]))
    await desk.hear(asked, line)


@SECTION.case("2")
async def many_messages_on_a_connection(rig: Rig) -> None:
    """A connection serves one message after the other"""
    desk = rig.main
    line = await desk.dial()
    for _ in range(3):
        await desk.raw(echo(desk), line=line)
    require(line.open, "the host closed the connection behind an answer")
    line.close()


@SECTION.case("2")
async def a_new_connection(rig: Rig) -> None:
    """A message may come on a connection of its own"""
    rig.main.hang_up()
    await rig.main.raw(echo(rig.main))


@SECTION.case("2")
async def two_messages_in_one_segment(rig: Rig) -> None:
    """Of two messages at once the first is answered, then the connection is closed"""
    desk = rig.main
    line, asked = await desk.dial(), echo(desk)
    line.write(2 * frame(asked.body))
    await desk.hear(asked, line)
    second = await line.read()
    line.close()
    require(second is None, "the second message was answered, too")


@SECTION.case("2, 12")
async def length_zero(rig: Rig) -> None:
    """A length of 0 closes the connection"""
    await closes(rig, bytes(2))


@SECTION.case("2, 12")
async def oversize_frame(rig: Rig) -> None:
    """A length above 4096 closes the connection, as soon as the two bytes are there"""
    await closes(rig, (4097).to_bytes(2, "big"), within_s=_FRAME_S - 1)


@SECTION.case("2, 12")
async def frame_not_whole(rig: Rig) -> None:
    """A frame that is not whole within 5 s closes the connection"""
    await closes(rig, frame(echo(rig.main).body)[:-1], within_s=2 * _FRAME_S)


@SECTION.case("12")
async def garbage(rig: Rig) -> None:
    """What does not begin with TPDU 60 closes the connection"""
    await closes(rig, frame(b"\x00garbage, and no message at all"))


@SECTION.case("12")
async def header_not_digits(rig: Rig) -> None:
    """A header that is not BCD closes the connection"""
    body = bytearray(echo(rig.main).body)
    body[_HEADER_AT] = 0xAB
    await closes(rig, frame(bytes(body)))


@SECTION.case("12")
async def an_answer_as_a_request(rig: Rig) -> None:
    """An answer's MTI closes the connection"""
    asked = echo(rig.main).message
    await closes(rig, frame(encode(Message("0830", asked.fields, asked.tpdu))))


@SECTION.case("12")
async def mti_out_of_shape(rig: Rig) -> None:
    """An MTI of no shape that there is closes the connection"""
    body = bytearray(echo(rig.main).body)
    body[_MTI_AT : _MTI_AT + 2] = bytes.fromhex("9999")
    await closes(rig, frame(bytes(body)))


@SECTION.case("12")
async def mti_unknown(rig: Rig) -> None:
    """A request's MTI that this protocol does not have is answered 30"""
    asked = echo(rig.main).message
    message = Message("0600", asked.fields, asked.tpdu)
    answer, _ = await rig.main.raw(Sealed(message, encode(message)))
    expect("39 (response code)", wanted="30", got=answer.text(39))


@SECTION.case("2, 12")
async def second_bitmap(rig: Rig) -> None:
    """A second bitmap is answered 30"""
    body = bytearray(echo(rig.main).body)
    body[_BITMAP_AT] |= 0x80
    await refuses(rig, bytes(body))


@SECTION.case("3, 12")
async def unknown_field(rig: Rig) -> None:
    """A field that the profile does not have is answered 30"""
    body = bytearray(echo(rig.main).body)
    body[_BITMAP_AT] |= 0x08  # field 5
    await refuses(rig, bytes(body))


@SECTION.case("3, 12")
async def bytes_left_over(rig: Rig) -> None:
    """Bytes behind the last field are answered 30"""
    await refuses(rig, echo(rig.main).body + b"\x00")


@SECTION.case("3, 12")
async def bytes_missing(rig: Rig) -> None:
    """A message that ends inside of a field is answered 30"""
    await refuses(rig, echo(rig.main).body[:-1])


@SECTION.case("3, 12")
async def nibble_not_a_digit(rig: Rig) -> None:
    """A nibble that is no digit is answered 30"""
    desk = rig.main
    body = bytearray(plain(desk.messages.sign_off(stan="000001", batch="000001")).body)
    body[_FIELDS_AT] = 0xA0  # the first digit of field 11
    await refuses(rig, bytes(body))


@SECTION.case("3, 12")
async def filling_not_zero(rig: Rig) -> None:
    """A filling nibble that is not 0 is answered 30"""
    body = bytearray(echo(rig.main).body)
    body[-1] |= 0x01  # field 60 has 11 digits and ends the message
    await refuses(rig, bytes(body))
