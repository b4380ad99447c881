# ruff: noqa: E501 - hostile markup reads best unbroken
"""Posts written by somebody who means harm."""

from __future__ import annotations

from typing import Final

ALARM: Final = "window.alarm=1"

_NEST: Final = 20_000

POSTS: Final[dict[str, str]] = {
    "script": f"<script>{ALARM}</script><script src='https://evil.example/x.js'></script>",
    "handlers": f"<img src=x onerror='{ALARM}'><p onclick='{ALARM}' onmouseover={ALARM}>x</p><details open ontoggle={ALARM}>x</details>",
    "svg": f"<svg onload='{ALARM}'><script>{ALARM}</script><a href='javascript:{ALARM}'><text>x</text></a></svg>",
    "math": f"<math><mi//xlink:href='data:x,<script>{ALARM}</script>'><annotation-xml encoding='text/html'><img src=x onerror={ALARM}></annotation-xml></math>",
    "mutation": f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={ALARM}&gt;'>",
    "noscript": f"<noscript><p title='</noscript><img src=x onerror={ALARM}>'></noscript>",
    "template": f"<template><img src=x onerror={ALARM}></template><textarea></textarea><img src=x onerror={ALARM}>",
    "iframe": f"<iframe src='javascript:{ALARM}'></iframe><iframe srcdoc='<script>top.{ALARM}</script>'></iframe><object data='javascript:{ALARM}'></object><embed src='javascript:{ALARM}'>",
    "links": f"<a href='javascript:{ALARM}'>a</a><a href='JaVa&#x09;Script:{ALARM}'>b</a><a href='data:text/html,<script>{ALARM}</script>'>c</a><a href='vbscript:x'>d</a><a href=' \x01javascript:{ALARM}'>e</a>",
    "forms": f"<form action='javascript:{ALARM}'><button formaction='javascript:{ALARM}'>x</button><input autofocus onfocus={ALARM}></form>",
    "meta": f"<meta http-equiv='refresh' content='0;url=javascript:{ALARM}'><base href='https://evil.example/'><link rel=stylesheet href='https://evil.example/x.css'>",
    "css": "<style>body{display:none}</style><div style='position:fixed;top:0;left:0;width:100vw;height:100vh;background:url(javascript:1)'>over</div><p style=\"background:expression(alarm=1)\">x</p>",
    "attribute break-out": f"<img alt='\"><script>{ALARM}</script>' src='x.png' title='\" onerror=\"{ALARM}'><a href='https://e.example/\"onmouseover=\"{ALARM}'>x</a>",
    "entities": f"&lt;script&gt;{ALARM}&lt;/script&gt; &amp;lt;img src=x onerror={ALARM}&amp;gt; &#60;script&#62;",
    "comments": f"<!--><script>{ALARM}</script>--><!--[if mso]><script>{ALARM}</script><![endif]--><![CDATA[<script>{ALARM}</script>]]>",
    "conditional break-out": f"<p>x<![endif]--><!--[if !mso]><!--><script>{ALARM}</script><!--<![endif]--></p>",
    "nesting": "<div>" * _NEST + "deep" + "</div>" * _NEST,
    "inline nesting": "<b><i>" * (_NEST // 2) + "deep",
    "table nesting": "<table><tr><td>" * 2_000 + "deep",
    "list nesting": "<ul><li>" * 2_000 + "deep",
    "controls": "".join(map(chr, [*range(32), *range(127, 160)])) + "x\u202egnp.exe\ufeff\ufffe\ud800y",
    "tokens": "zq0123456789abx0z zq{}x1z {{ 7*7 }} {% include '/etc/passwd' %} <mj-raw><mj-include path='/etc/passwd'/></mj-raw>",
    "unclosed": f"<p><a href='https://e.example/<b><i title=\"<table><tr><td><img src=x onerror={ALARM} ",
    "attributes without end": "<p " + " ".join(f"a{n}=1" for n in range(20_000)) + ">x</p>",
    "one long word": "x" * 200_000,
    "one long attribute": f"<img alt='{'y' * 100_000}' src='https://e.example/a.png'>",
}  # fmt: skip
"""Markup by the trick that it tries. Any of it running sets ``window.alarm``."""

TITLES: Final = (
    "Plain\r\nBcc: victim@example.org",
    "=?utf-8?q?=0d=0aBcc:victim@example.org?=",
    f"<script>{ALARM}</script>",
    f"\"><img src=x onerror={ALARM}>",
    "{{ 7*7 }}{% raise %}",
    "zq0123456789abx0z",
    "\u202eesrever\u0000\u0085 \u2028line",
    "😀" * 500,
    "",
)  # fmt: skip

URLS: Final = (
    f"javascript:{ALARM}",
    f"https://e.example/\"onclick=\"{ALARM}",
    "https://e.example/\r\nX-Evil: 1",
    "//evil.example",
    "https://[::1",
    "file:///etc/passwd",
    "",
)  # fmt: skip
