"""Field 39, the response codes of the CUP profile: what each means and what can be done about it."""

from __future__ import annotations

from typing import NamedTuple


class ResponseCode(NamedTuple):
    """One response code (field 39, an2)."""

    code: str
    name: str
    chinese: str
    retry_can_help: bool
    """Whether the same card at the same terminal may succeed a moment later without anybody changing anything."""


_ROWS = (
    ("00", "approved", "交易成功", False),
    ("01", "refer to issuer", "请持卡人与发卡行联系", False),
    ("03", "invalid merchant", "无效商户", False),
    ("04", "capture card", "此卡被没收", False),
    ("05", "authentication failed", "持卡人认证失败", False),
    ("10", "partial approval", "部分承兑", False),
    ("11", "VIP approval", "重要人物批准", False),
    ("12", "invalid related transaction", "无效的关联交易", False),
    ("13", "invalid amount", "无效金额", False),
    ("14", "invalid card number", "无效卡号", False),
    ("15", "no such issuer", "此卡无对应发卡行", False),
    ("21", "card not initialised", "该卡未初始化", False),
    ("22", "suspected malfunction", "故障怀疑", True),
    ("25", "original not found", "找不到原始交易", False),
    ("30", "format error", "报文格式错误", False),
    ("34", "suspected fraud", "有作弊嫌疑", False),
    ("38", "PIN tries exceeded, capture card", "超过密码输入次数,没收卡", False),
    ("40", "function not supported", "请求的功能尚不支持", False),
    ("41", "lost card", "挂失卡", False),
    ("43", "stolen card", "被窃卡", False),
    ("45", "use the chip", "请使用芯片", False),
    ("51", "insufficient funds", "可用余额不足", False),
    ("54", "expired card", "该卡已过期", False),
    ("55", "wrong PIN", "密码错", False),
    ("57", "not permitted to cardholder", "不允许此卡交易", False),
    ("58", "not permitted to terminal", "不允许此终端交易", False),
    ("59", "card check failed", "卡片校验错", False),
    ("61", "over the amount limit", "交易金额超限", False),
    ("62", "restricted card", "受限制的卡", False),
    ("64", "original amount mismatch", "交易金额与原交易不匹配", False),
    ("65", "over the count limit", "超出消费次数限制", False),
    ("68", "issuer timeout", "交易超时,请重试", True),
    ("75", "PIN tries exceeded", "密码输入次数超限", False),
    ("77", "batch number differs, sign on again", "请重新签到", False),
    ("90", "cut-over in progress", "系统日切,请稍后重试", True),
    ("91", "issuer unavailable", "发卡方状态不正常,请稍后重试", True),
    ("92", "issuer unreachable", "发卡方线路异常,请稍后重试", True),
    ("94", "duplicate transaction", "拒绝,重复交易,请稍后重试", False),
    ("96", "system malfunction", "拒绝,交换中心异常,请稍后重试", True),
    ("97", "unknown terminal", "终端未登记", False),
    ("98", "no reply from issuer", "发卡方超时", True),
    ("99", "PIN format error", "PIN格式错,请重新签到", False),
    ("A0", "MAC error", "MAC校验错,请重新签到", False),
)

RESPONSE_CODES = {row[0]: ResponseCode(*row) for row in _ROWS}

APPROVED = "00"
PARTIAL_APPROVAL = "10"
APPROVALS = (APPROVED, PARTIAL_APPROVAL)
"""What leaves something approved: all of it, or a part."""
CAPTURE_CARD = "04"
AUTHENTICATION_FAILED = "05"
INVALID_MERCHANT = "03"
INVALID_RELATED_TRANSACTION = "12"
INVALID_AMOUNT = "13"
INVALID_CARD_NUMBER = "14"
NO_SUCH_ISSUER = "15"
CARD_NOT_INITIALISED = "21"
ORIGINAL_NOT_FOUND = "25"
FORMAT_ERROR = "30"
PIN_TRIES_EXCEEDED_CAPTURE = "38"
FUNCTION_NOT_SUPPORTED = "40"
LOST_CARD = "41"
STOLEN_CARD = "43"
USE_CHIP = "45"
INSUFFICIENT_FUNDS = "51"
EXPIRED_CARD = "54"
WRONG_PIN = "55"
NOT_PERMITTED_TO_CARDHOLDER = "57"
NOT_PERMITTED_TO_TERMINAL = "58"
CARD_CHECK_FAILED = "59"
OVER_AMOUNT_LIMIT = "61"
RESTRICTED_CARD = "62"
ORIGINAL_AMOUNT_MISMATCH = "64"
OVER_COUNT_LIMIT = "65"
ISSUER_TIMEOUT = "68"
PIN_TRIES_EXCEEDED = "75"
BATCH_DIFFERS = "77"
CUT_OVER = "90"
ISSUER_UNAVAILABLE = "91"
DUPLICATE = "94"
SYSTEM_MALFUNCTION = "96"
UNKNOWN_TERMINAL = "97"
NO_ISSUER_REPLY = "98"
PIN_FORMAT_ERROR = "99"
MAC_ERROR = "A0"


def may_pass(code: str) -> bool:
    """Whether it is neither a yes nor a no for good: the same may succeed a moment later. So is what nobody knows.

    >>> may_pass("96"), may_pass("51"), may_pass("00"), may_pass("ZZ")
    (True, False, False, True)
    """
    row = RESPONSE_CODES.get(code)
    return row is None or row.retry_can_help


def describe(code: str) -> str:
    """The code with its meaning, for people: `51 insufficient funds`."""
    row = RESPONSE_CODES.get(code)
    return f"{code} {row.name}" if row else f"{code} (not in the table)"
