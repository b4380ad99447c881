"""How what was typed into a form becomes values of settings, and what the form shows at first. Used by
the first run and by Settings alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Final
from urllib.parse import quote

from fastapi import Request

from newsletter.config import SettingShown
from newsletter.desk import Desk
from newsletter.errors import Invalid
from newsletter.web.studio.fields import Field, Kind, Section

_NOT_IN_A_NAME: Final = frozenset('<>"\\,;:@()[]')
"""They would have to be quoted in a mail header (RFC 5322 section 3.2.3)."""

_IN_EVERY_EMAIL: Final = frozenset(
    "TITLE FROM REPLY_TO POSTAL_ADDRESS DISCLAIMER LANGUAGE TIMEZONE THEME SUBJECT PREHEADER BASE_URL".split()
)


async def typed_form(request: Request) -> dict[str, str]:
    """What was typed into a form, by field name; files are ignored."""
    form = await request.form()
    return {
        name: value.replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)
    }


def values_of(section: Section, shown: Sequence[SettingShown]) -> dict[str, str]:
    """What the form's inputs show at first, by input name. A secret's input is always empty."""
    stored = {setting.name: setting.value for setting in shown}
    values: dict[str, str] = {}
    for field in section.fields:
        value = stored.get(field.setting, "")
        if field.kind is Kind.SENDER:
            name, address = parseaddr(value)
            values |= {"FROM_name": name, "FROM_address": address}
        elif field.kind is Kind.SMTP:
            values |= dict.fromkeys(("SMTP_host", "SMTP_port", "SMTP_user", "SMTP_password"), "")
            values["SMTP_port"] = "587"
        elif field.kind is Kind.SECRET:
            values[field.setting] = ""
        elif field.kind is Kind.EMAIL:
            values[field.setting] = parseaddr(value)[1]
        else:
            values[field.setting] = value
    return values


def save(desk: Desk, section: Section, typed: Mapping[str, str]) -> dict[str, str]:
    """Store what differs; the sentence of each setting that could not be, by its name.

    A setting fixed by the environment is left alone, and so is a secret whose input stayed empty.
    """
    shown = {setting.name: setting for setting in desk.settings()}
    problems: dict[str, str] = {}
    changed = False
    for field in section.fields:
        known = shown.get(field.setting)
        if known is None or known.fixed:
            continue
        try:
            value = _typed_value(field, typed)
            if value is not None and (known.secret or value != known.value):
                desk.set_setting(field.setting, value)
                changed = changed or field.setting in _IN_EVERY_EMAIL
        except Invalid as problem:
            problems[field.setting] = str(problem).replace(
                f"{field.setting} cannot", f"“{field.label}” cannot", 1
            )
    if changed:
        desk.recompose_drafts()
    return problems


def _typed_value(field: Field, typed: Mapping[str, str]) -> str | None:
    """The setting's value, or None where nothing was given."""
    if field.kind is Kind.SENDER:
        return _sender(typed.get("FROM_name", ""), typed.get("FROM_address", ""))
    if field.kind is Kind.SMTP:
        return _smtp_url(typed) if typed.get("SMTP_host") else None
    if field.kind is Kind.SECRET:
        return typed.get(field.setting) or None
    return typed.get(field.setting)


def _sender(name: str, address: str) -> str:
    if name and not address:
        raise Invalid("A sender needs an address beside the name.")
    if set(name) & _NOT_IN_A_NAME or not name.isprintable():
        raise Invalid(f"A sender's name cannot contain any of {' '.join(sorted(_NOT_IN_A_NAME))}")
    return f"{name} <{address}>" if name else address


def _smtp_url(typed: Mapping[str, str]) -> str:
    host, port = typed.get("SMTP_host", ""), typed.get("SMTP_port", "") or "587"
    if not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65536:
        raise Invalid("The port of a mail server is a number such as 587.")
    if any(c in host for c in "/@?# ") or not host.isprintable():
        raise Invalid("The server is a name such as smtp.example.org.")
    user, password = typed.get("SMTP_user", ""), typed.get("SMTP_password", "")
    who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{'smtps' if port == '465' else 'smtp'}://{who}{host}:{port}"
