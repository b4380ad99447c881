"""What the steps of the pipeline and the author's verbs work with; :mod:`newsletter.wiring` supplies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.compose import Compiler, Themes
from newsletter.config import Settings
from newsletter.guard.http import HttpClient
from newsletter.keys import Keys
from newsletter.model.publication import Newsletter
from newsletter.poll.parser import Parser
from newsletter.send.highwater import HighWater
from newsletter.send.ports import Transport
from newsletter.steps.links import Links

if TYPE_CHECKING:  # the glue names the store's unit of work as a type only
    from newsletter.store.unit import Unit


@dataclass(frozen=True, kw_only=True)
class Tools:
    begin: Callable[[], AbstractContextManager[Unit]]  #: a transaction that may write
    read: Callable[[], AbstractContextManager[Unit]]  #: one that only reads
    settings: Callable[[], Settings]  #: as they are now: the author may change them at any time
    clock: Callable[[], datetime]
    keys: Keys
    message_key: bytes  #: seals Message-IDs and return paths
    fixed: Mapping[str, str]  #: settings that the environment fixes
    http: Callable[[Settings], HttpClient]
    parser: Parser
    compiler: Compiler
    themes: Themes
    newsletter: Callable[[Settings], Newsletter]  #: with what the author left open taken from the feed
    links: Callable[[Settings], Links]
    link_key: bytes  #: seals the counted links of issues
    transport: Callable[[Settings], Transport]
    high_water: HighWater  #: how far sending had come, remembered outside the database
    look_up: Callable[[str], Sequence[str]]  #: TXT records, for doctor
