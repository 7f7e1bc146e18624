"""ISO 8583 in the CUP profile: field table, framing, codec.

fields, compiled      the table, and the closures made of it
message, codec        messages as values, and as bytes
framing               2-byte lengths on a stream
profile               which fields a message must have
subfields, protection what stands inside them
balances              field 54
details               what a batch upload brings
paging, stop_records  field 62 of a download
master_key            field 62 of a sign-on while the master key is being changed
tlv, chip             field 55
instalment, transfer  field 62 of an instalment sale and of a transfer
jsonform, dump        the JSON form; the masked form for people
"""

from iso8583.balances import AVAILABLE, Amount54, Balances54
from iso8583.chip import Answer55, ScriptNotice, cryptogram_kind, parse_request
from iso8583.codec import HEADER_SIZE, MAC_SIZE, MTI_AT, TPDU_SIZE, decode, encode, mac_block, salvage
from iso8583.compiled import Value
from iso8583.details import Detail, Signed, pack_details, parse_count, parse_details, parse_signed
from iso8583.dump import masked_dump
from iso8583.errors import FormatError
from iso8583.fields import FIELDS, Field
from iso8583.framing import LENGTH_SIZE, MAX_FRAME, FrameReader, frame
from iso8583.instalment import Plan62, Terms62
from iso8583.jsonform import from_json, to_json
from iso8583.master_key import named_master, split_master, with_master
from iso8583.message import DEFAULT_TPDU, Header, Message, reply_mti, reply_to, swapped
from iso8583.paging import Page, page_from, page_of, parse_index, parse_page, sized, split_sized
from iso8583.profile import carries_mac, check_profile, rule_for
from iso8583.protection import Field53, Field59
from iso8583.stop_records import StopRecord, parse_stop, split_stops
from iso8583.subfields import DownloadedKey, Field60, Institutions44, Keys62, Original61, Texts63, Totals48
from iso8583.transfer import target_card, with_target

__all__ = [
    "AVAILABLE",
    "DEFAULT_TPDU",
    "FIELDS",
    "HEADER_SIZE",
    "LENGTH_SIZE",
    "MAC_SIZE",
    "MAX_FRAME",
    "MTI_AT",
    "TPDU_SIZE",
    "Amount54",
    "Answer55",
    "Balances54",
    "Detail",
    "DownloadedKey",
    "Field",
    "Field53",
    "Field59",
    "Field60",
    "FormatError",
    "FrameReader",
    "Header",
    "Institutions44",
    "Keys62",
    "Message",
    "Original61",
    "Page",
    "Plan62",
    "ScriptNotice",
    "Signed",
    "StopRecord",
    "Terms62",
    "Texts63",
    "Totals48",
    "Value",
    "carries_mac",
    "check_profile",
    "cryptogram_kind",
    "decode",
    "encode",
    "frame",
    "from_json",
    "mac_block",
    "masked_dump",
    "named_master",
    "pack_details",
    "page_from",
    "page_of",
    "parse_count",
    "parse_details",
    "parse_index",
    "parse_page",
    "parse_request",
    "parse_signed",
    "parse_stop",
    "reply_mti",
    "reply_to",
    "rule_for",
    "salvage",
    "sized",
    "split_master",
    "split_sized",
    "split_stops",
    "swapped",
    "target_card",
    "to_json",
    "with_master",
    "with_target",
]
