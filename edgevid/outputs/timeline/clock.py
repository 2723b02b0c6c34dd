"""Times as people, SubRip and WebVTT write them."""

from __future__ import annotations


def clock_text(seconds: float, *, decimals: int = 0) -> str:
    """Return a time such as "1:05" or "2:03:09.5".

    Args:
        seconds: The time; below 0 it is shown as 0.
        decimals: Digits after the point of the seconds.
    """
    # In units of the last digit, so that 59.96 with one decimal is 1:00.0.
    units = round(max(0.0, seconds) * 10**decimals)
    whole, part = divmod(units, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{part:0{decimals}}" if decimals else text


def cue_time(seconds: float, *, point: str) -> str:
    """Return a time of a subtitle, such as "01:02:03.400".

    Args:
        seconds: The time; below 0 it is taken for 0.
        point: "," for SubRip, "." for WebVTT.
    """
    milliseconds = round(max(0.0, seconds) * 1000)
    whole, part = divmod(milliseconds, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{part:03}"
