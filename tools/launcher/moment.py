# SPDX-License-Identifier: BSD-2-Clause
"""Moments in place of a generation's number: 10m-ago, yesterday, 2026-11-29, 2026-11-29T13:33, 2026-11-29T13:33:20.

What is meant is the state as it was then: the last generation that is not later than the named second, minute or day, by this
host's time zone; of `ago`, not later than that moment. A name that a generation has counts before a moment that it looks like.
"""

import re
import time

from launcher.common import Failure, UsageFailure

SECOND_NS = 10**9
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGO = re.compile(r"([0-9]{1,9})([smhdw])-ago")
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?")
FORMS = "10m-ago (s m h d w), yesterday, 2026-11-29 or 2026-11-29T13:33"


def is_moment(word):
    """Whether it is written as one; it may still be none that there ever was."""
    return word == "yesterday" or word.endswith("-ago") and word[:1].isdigit() or re.match(r"[0-9]{4}-", word) is not None


def time_text(ns):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // SECOND_NS))


def local_ns(word, year, month, day, hour=0, minute=0, second=0):
    """A time of this host's zone; days and so on past the end of their unit belong to the next."""
    try:
        return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1))) * SECOND_NS
    except (OverflowError, ValueError):
        raise UsageFailure(f"{word}: no moment that can be reckoned with") from None


def check_calendar(word, parts):
    """The month, day, hour, minute and second there are; 2026-02-30 is not there."""
    year, month, day, hour, minute, second = parts
    try:
        found = time.strptime(f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}", "%Y-%m-%d %H:%M:%S")
    except ValueError:
        found = None
    if found is None or found.tm_sec != second or second > 59:
        raise UsageFailure(f"{word}: there is no such date or time")


def end_ns(word, now_ns):
    """The first moment that is later than what is meant."""
    if word == "yesterday":
        today = time.localtime(now_ns // SECOND_NS)
        return local_ns(word, today.tm_year, today.tm_mon, today.tm_mday)
    ago = AGO.fullmatch(word)
    if ago:
        return now_ns - int(ago[1]) * UNITS_S[ago[2]] * SECOND_NS + 1
    date = DATE.fullmatch(word)
    if not date:
        raise UsageFailure(f"{word}: it looks like a moment, and is none; a moment is {FORMS}")
    parts = [int(part or 0) for part in date.groups()]
    check_calendar(word, parts)
    if local_ns(word, *parts) > now_ns:
        raise UsageFailure(f"{word} is yet to come")
    last = 2 if date[4] is None else 4 if date[6] is None else 5  # the day, the minute, the second is meant as a whole
    parts[last] += 1
    return local_ns(word, *parts)


def choose(word, kept, where, now_ns=None):
    """The generation that a word means: its number for a moment, otherwise the word. `kept`: (number, time in ns, names)."""
    if not is_moment(word) or any(word in names for _, _, names in kept):
        return word
    end = end_ns(word, time.time_ns() if now_ns is None else now_ns)
    before = [(ns, number) for number, ns, _ in kept if ns < end]
    if before:
        return str(max(before)[1])
    if not kept:
        raise Failure(f"{where}: {word}: nothing has been committed to it yet")
    oldest_ns, oldest = min((ns, number) for number, ns, _ in kept)
    raise Failure(f"{where}: {word}: the oldest generation that is kept is {oldest}, of {time_text(oldest_ns)}; "
                  "./eidolon image log lists all")


def check(word):
    """Refuse a word that looks like a moment and is none, before anything is done."""
    if is_moment(word) and word != "yesterday":
        end_ns(word, time.time_ns())
