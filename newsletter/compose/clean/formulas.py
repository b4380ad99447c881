"""MathML as a line of text: what it says matters more in mail than how it looks."""

from __future__ import annotations

from newsletter.compose.clean.tree import Element, Node


def formula(math: Element) -> str:
    """A formula on one line: ``(a+b)/2``, ``x^2``, ``√(n)``."""
    return " ".join(_said(math).split())


def _said(node: Node) -> str:
    if isinstance(node, str):
        return node.strip()
    parts = [said for child in node.children if (said := _said(child))]
    match node.tag, parts:
        case "mfrac", [above, below]:
            return f"{_grouped(above)}/{_grouped(below)}"
        case "msup" | "mover", [base, above]:
            return f"{_grouped(base)}^{_grouped(above)}"
        case "msub" | "munder", [base, below]:
            return f"{_grouped(base)}_{_grouped(below)}"
        case "msubsup" | "munderover", [base, below, above]:
            return f"{_grouped(base)}_{_grouped(below)}^{_grouped(above)}"
        case "msqrt", _:
            return f"√({''.join(parts)})"
        case "mroot", [base, index]:
            return f"{_grouped(base)}^(1/{index})"
        case "mtr" | "mtable", _:
            return ("; " if node.tag == "mtable" else ", ").join(parts)
        case _:
            return "".join(parts)


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text})"
