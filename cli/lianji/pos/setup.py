"""What operator 99 sets at a terminal (terminal_sim.shipped.Parameters), as choices of a menu."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from contracts.money import Money
from terminal_sim.shipped import Parameters


class Unit(StrEnum):
    """What a parameter is counted in."""

    SWITCH = "switch"
    MINOR = "minor"
    COUNT = "count"


class Setting(StrEnum):
    """One parameter, by its name at the terminal."""

    SUPERVISOR_FOR_VOIDS = "supervisor_for_voids"
    SUPERVISOR_FOR_REFUNDS = "supervisor_for_refunds"
    PIN_FOR_VOIDS = "pin_for_voids"
    TAKES_PART = "takes_part"
    CONTACTLESS_LIMIT = "contactless_limit_minor"
    OFFLINE_LIMIT = "offline_limit_minor"
    OFFLINE_MOST = "offline_most"


class Shown(NamedTuple):
    chinese: str
    english: str
    unit: Unit


SETTINGS: dict[Setting, Shown] = {
    Setting.SUPERVISOR_FOR_VOIDS: Shown("撤销需主管", "00 FOR VOIDS", Unit.SWITCH),
    Setting.SUPERVISOR_FOR_REFUNDS: Shown("退货需主管", "00 FOR REFUNDS", Unit.SWITCH),
    Setting.PIN_FOR_VOIDS: Shown("撤销输密码", "PIN FOR VOIDS", Unit.SWITCH),
    Setting.TAKES_PART: Shown("部分批准", "PARTIAL", Unit.SWITCH),
    Setting.CONTACTLESS_LIMIT: Shown("免密限额", "NO PIN UP TO", Unit.MINOR),
    Setting.OFFLINE_LIMIT: Shown("脱机限额", "OFFLINE UP TO", Unit.MINOR),
    Setting.OFFLINE_MOST: Shown("脱机笔数", "OFFLINE NOTICES", Unit.COUNT),
}


def changed(parameters: Parameters, setting: Setting, value: int) -> Parameters:
    """
    >>> changed(Parameters(), Setting.TAKES_PART, 1).takes_part
    True
    """
    new = bool(value) if SETTINGS[setting].unit is Unit.SWITCH else value
    return msgspec.structs.replace(parameters, **{setting.value: new})


def shown(parameters: Parameters) -> tuple[str, ...]:
    """All of them, a line each.

    >>> shown(Parameters())[5]
    '脱机限额 OFFLINE UP TO: RMB 500.00'
    """
    return tuple(
        f"{row.chinese} {row.english}: {_value(row.unit, int(getattr(parameters, setting)))}"
        for setting, row in SETTINGS.items()
    )


def _value(unit: Unit, value: int) -> str:
    match unit:
        case Unit.SWITCH:
            return "开 ON" if value else "关 OFF"
        case Unit.MINOR:
            return f"RMB {Money(value)}"
        case Unit.COUNT:
            return str(value)
