"""Amounts in capital numerals (大写金额), as payment orders and vouchers write them.

By 《支付结算办法》, annex 1 (正确填写票据和结算凭证的基本规定): 整 after whole yuan; none after 角 or 分;
one 零 for zeros in the middle; 零 after 元 where the 角 is zero and the 分 is not. Where the rules leave a
零 to the writer, this one writes the form that they name first: none where only the place of 万 is zero
(壹拾万柒仟元), one where the place of 元 is zero and that of 角 is not (捌拾元零叁角).
"""

from __future__ import annotations

from grouper.base.money import Fen

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ((1000, "仟"), (100, "佰"), (10, "拾"), (1, ""))
_WAN, _YI = 10**4, 10**8
_LARGEST = 10**16  # yuan


def capitals(fen: Fen) -> str:
    """``fen`` in words, 人民币 before it; a negative amount has 负 before the number.

    Raises ValueError for ten thousand billion yuan and more, which no voucher has.
    """
    yuan, rest = divmod(abs(fen), 100)
    jiao, last = divmod(rest, 10)
    if yuan >= _LARGEST:
        raise ValueError(f"{yuan} yuan cannot be written in capital numerals")
    parts = [f"{_whole(yuan)}元"] if yuan or not rest else []
    if yuan and rest and (not jiao or yuan % 10 == 0):
        parts.append("零")
    if jiao:
        parts.append(f"{_DIGITS[jiao]}角")
    if last:
        parts.append(f"{_DIGITS[last]}分")
    elif not jiao:
        parts.append("整")
    return "人民币" + ("负" if fen < 0 else "") + "".join(parts)


def _whole(number: int) -> str:
    """A whole number below 10¹⁶, without its unit."""
    if number == 0:
        return _DIGITS[0]
    for unit, sign in ((_YI, "亿"), (_WAN, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = _DIGITS[0] if low and low < unit // 10 else ""
            return _whole(high) + sign + gap + (_whole(low) if low else "")
    return _section(number)


def _section(number: int) -> str:
    """A number from 1 to 9999."""
    text, gap = "", False
    for place, sign in _PLACES:
        digit, number = divmod(number, place)
        if digit:
            text += (_DIGITS[0] if gap and text else "") + _DIGITS[digit] + sign
        gap = digit == 0
    return text
