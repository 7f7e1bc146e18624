"""The screens as tables: what a menu offers, what a question says and takes, and which questions a job asks."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from contracts.kinds import KINDS, Kind
from lianji.pos import entries
from lianji.pos.entries import Checked, Entries
from lianji.pos.setup import SETTINGS, Setting, Unit

CANCEL, HELP = "*", "?"
"""The two keys that mean the same everywhere; Esc is CANCEL, too."""


class Menu(StrEnum):
    MAIN = "main"
    PRE_AUTH = "pre-auth"
    INSTALMENT = "instalment"
    TRANSFER = "transfer"
    MANAGEMENT = "management"
    SYSTEM = "system"
    PARAMETERS = "parameters"


class Action(StrEnum):
    """What an operator does beside transactions."""

    LOG_IN = "log-in"
    LOG_OUT = "log-out"
    SIGN_ON = "sign-on"
    SIGN_OFF = "sign-off"
    ECHO = "echo"
    SETTLE = "settle"
    REPRINT = "reprint"
    TOTALS = "totals"
    PASSWORD = "password"  # noqa: S105 - the name of an action
    CASHIER = "cashier"
    DOWNLOAD = "download"
    RESET = "reset"
    DELETE = "delete"


Job = Kind | Action | Setting


class Choice(NamedTuple):
    key: str
    chinese: str
    english: str
    leads: Menu | Job


def _kind(key: str, kind: Kind) -> Choice:
    return Choice(key, KINDS[kind].chinese, KINDS[kind].english, kind)


def _settings() -> tuple[Choice, ...]:
    rows = enumerate(SETTINGS.items(), 1)
    return tuple(Choice(str(key), row.chinese, row.english, setting) for key, (setting, row) in rows)


MENUS: dict[Menu, tuple[Choice, ...]] = {
    Menu.MAIN: (
        _kind("1", Kind.SALE),
        _kind("2", Kind.VOID),
        _kind("3", Kind.REFUND),
        Choice("4", "预授权", "PRE-AUTH …", Menu.PRE_AUTH),
        _kind("5", Kind.BALANCE),
        Choice("6", "分期", "INSTALMENT …", Menu.INSTALMENT),
        Choice("7", "转账", "TRANSFER …", Menu.TRANSFER),
        _kind("8", Kind.OFFLINE_SALE),
        Choice("9", "结算", "SETTLEMENT", Action.SETTLE),
        Choice("0", "管理", "MANAGEMENT …", Menu.MANAGEMENT),
    ),
    Menu.PRE_AUTH: (
        _kind("1", Kind.PRE_AUTH),
        _kind("2", Kind.PRE_AUTH_VOID),
        _kind("3", Kind.COMPLETION),
        _kind("4", Kind.COMPLETION_ADVICE),
        _kind("5", Kind.COMPLETION_VOID),
    ),
    Menu.INSTALMENT: (_kind("1", Kind.INSTALMENT), _kind("2", Kind.INSTALMENT_VOID)),
    Menu.TRANSFER: (_kind("1", Kind.TRANSFER), _kind("2", Kind.CARD_CHECK)),
    Menu.MANAGEMENT: (
        Choice("1", "签到", "SIGN ON", Action.SIGN_ON),
        Choice("2", "签退", "SIGN OFF", Action.SIGN_OFF),
        Choice("3", "重打印", "REPRINT", Action.REPRINT),
        Choice("4", "交易汇总", "TOTALS", Action.TOTALS),
        Choice("5", "修改密码", "PASSWORD", Action.PASSWORD),
        Choice("6", "增加操作员", "NEW CASHIER", Action.CASHIER),
        Choice("7", "线路测试", "ECHO TEST", Action.ECHO),
        Choice("8", "下载", "DOWNLOAD", Action.DOWNLOAD),
        Choice("9", "退出登录", "LOG OUT", Action.LOG_OUT),
        Choice("0", "系统", "SYSTEM …", Menu.SYSTEM),
    ),
    Menu.SYSTEM: (
        Choice("1", "参数", "PARAMETERS …", Menu.PARAMETERS),
        Choice("2", "重置密码", "RESET PASSWORD", Action.RESET),
        Choice("3", "删除操作员", "DELETE CASHIER", Action.DELETE),
    ),
    Menu.PARAMETERS: _settings(),
}
TITLES: dict[Menu, tuple[str, str]] = {
    Menu.MAIN: ("主菜单", "MENU"),
    Menu.PRE_AUTH: ("预授权", "PRE-AUTH"),
    Menu.INSTALMENT: ("分期", "INSTALMENT"),
    Menu.TRANSFER: ("转账", "TRANSFER"),
    Menu.MANAGEMENT: ("管理", "MANAGEMENT"),
    Menu.SYSTEM: ("系统", "SYSTEM"),
    Menu.PARAMETERS: ("参数", "PARAMETERS"),
}
"""Chinese, English; of the jobs the choice that leads there, or the kind, says it."""


class Ask(StrEnum):
    """One question on the screen."""

    OPERATOR = "operator"
    PASSWORD = "password"  # noqa: S105 - the name of a question
    CARD = "card"
    EXPIRY = "expiry"
    AMOUNT = "amount"
    PIN = "pin"
    ORIGINAL = "original"
    RRN = "rrn"
    AUTHORIZATION = "authorization"
    PERIODS = "periods"
    TARGET = "target"
    APPROVAL = "approval"
    VOUCHER = "voucher"
    CASHIER = "cashier"
    NEW_PASSWORD = "new password"  # noqa: S105 - the name of a question
    DOWNLOAD = "download"
    WHO = "who"
    SWITCH = "switch"
    LIMIT = "limit"
    COUNT = "count"


class Echo(StrEnum):
    """How a key-in is seen."""

    PLAIN = "plain"
    AMOUNT = "amount"
    MASKED = "masked"
    CARD = "card"
    """A number shows its first 6 and last 4 once it is keyed."""


class Prompt(NamedTuple):
    chinese: str
    english: str
    check: Callable[[Entries, str], Checked]
    echo: Echo = Echo.PLAIN
    hint: str = ""


PROMPTS: dict[Ask, Prompt] = {
    Ask.OPERATOR: Prompt("操作员号", "OPERATOR", entries.operator),
    Ask.PASSWORD: Prompt("密码", "PASSWORD", entries.password, Echo.MASKED),
    Ask.CARD: Prompt("请刷卡或输入卡号", "CARD", entries.card, Echo.CARD, "刷 NAME 插 NAME/I 挥 NAME/C ?=LIST"),
    Ask.EXPIRY: Prompt("有效期", "EXPIRY YYMM", entries.expiry, Echo.MASKED),
    Ask.AMOUNT: Prompt("请输入金额(分)", "AMOUNT", entries.amount, Echo.AMOUNT, "1234 = RMB 12.34"),
    Ask.PIN: Prompt("请输入密码", "PIN", entries.pin, Echo.MASKED, "无密码按回车 NONE: ENTER"),
    Ask.ORIGINAL: Prompt("原凭证号", "ORIG VOUCHER", entries.original, Echo.PLAIN, "或 BATCH/VOUCHER/MMDD"),
    Ask.RRN: Prompt("原参考号", "ORIG REFER", entries.rrn),
    Ask.AUTHORIZATION: Prompt("原授权码", "ORIG AUTH", entries.authorization),
    Ask.PERIODS: Prompt("分期期数", "PERIODS", entries.periods, Echo.PLAIN, "3 6 12 24"),
    Ask.TARGET: Prompt("转入卡", "TO CARD", entries.target, Echo.CARD, "?=LIST"),
    Ask.APPROVAL: Prompt("主管密码", "SUPERVISOR 00", entries.approval, Echo.MASKED),
    Ask.VOUCHER: Prompt("凭证号", "VOUCHER", entries.voucher),
    Ask.CASHIER: Prompt("新操作员号", "CASHIER", entries.cashier),
    Ask.NEW_PASSWORD: Prompt("新密码", "NEW PASSWORD", entries.new_password, Echo.MASKED),
    Ask.DOWNLOAD: Prompt("1 参数 2 公钥 3 IC参数 4 黑名单", "DOWNLOAD", entries.download),
    Ask.WHO: Prompt("操作员号", "OPERATOR", entries.who),
    Ask.SWITCH: Prompt("1 开 ON 0 关 OFF", "", entries.switch),
    Ask.LIMIT: Prompt("限额(分)", "LIMIT", entries.limit, Echo.AMOUNT, "1234 = RMB 12.34"),
    Ask.COUNT: Prompt("笔数", "COUNT", entries.count),
}

_VALUE = {Unit.SWITCH: Ask.SWITCH, Unit.MINOR: Ask.LIMIT, Unit.COUNT: Ask.COUNT}
_CARD = (Ask.CARD, Ask.EXPIRY)
_ORIGINAL = (Ask.ORIGINAL, Ask.RRN, Ask.AUTHORIZATION)
_VOID = (Ask.APPROVAL, *_ORIGINAL, *_CARD, Ask.AMOUNT, Ask.PIN)

JOBS: dict[Job, tuple[Ask, ...]] = {
    Kind.SALE: (*_CARD, Ask.AMOUNT, Ask.PIN),
    Kind.VOID: _VOID,
    Kind.REFUND: (Ask.APPROVAL, *_ORIGINAL, *_CARD, Ask.AMOUNT),
    Kind.PRE_AUTH: (*_CARD, Ask.AMOUNT, Ask.PIN),
    Kind.PRE_AUTH_VOID: _VOID,
    Kind.COMPLETION: (*_ORIGINAL, *_CARD, Ask.AMOUNT, Ask.PIN),
    Kind.COMPLETION_ADVICE: (*_ORIGINAL, *_CARD, Ask.AMOUNT),
    Kind.COMPLETION_VOID: _VOID,
    Kind.INSTALMENT: (*_CARD, Ask.AMOUNT, Ask.PERIODS, Ask.PIN),
    Kind.INSTALMENT_VOID: _VOID,
    Kind.BALANCE: (*_CARD, Ask.PIN),
    Kind.CARD_CHECK: (*_CARD, Ask.PIN),
    Kind.TRANSFER: (*_CARD, Ask.TARGET, Ask.AMOUNT, Ask.PIN),
    Kind.OFFLINE_SALE: (*_CARD, Ask.AMOUNT),
    Action.LOG_IN: (Ask.OPERATOR, Ask.PASSWORD),
    Action.LOG_OUT: (),
    Action.SIGN_ON: (),
    Action.SIGN_OFF: (),
    Action.ECHO: (),
    Action.SETTLE: (),
    Action.REPRINT: (Ask.VOUCHER,),
    Action.TOTALS: (),
    Action.PASSWORD: (Ask.NEW_PASSWORD,),
    Action.CASHIER: (Ask.CASHIER, Ask.NEW_PASSWORD),
    Action.DOWNLOAD: (Ask.DOWNLOAD,),
    Action.RESET: (Ask.WHO, Ask.NEW_PASSWORD),
    Action.DELETE: (Ask.WHO,),
    **{setting: (_VALUE[row.unit],) for setting, row in SETTINGS.items()},
}
"""In the order in which they are asked; `desk.applies` says which of them a case does not need."""


def title(job: Job) -> tuple[str, str]:
    """Chinese, English."""
    if isinstance(job, Kind):
        return KINDS[job].chinese, KINDS[job].english
    choices = (choice for menu in MENUS.values() for choice in menu if choice.leads is job)
    return next(((choice.chinese, choice.english) for choice in choices), ("操作员登录", "LOG IN"))
