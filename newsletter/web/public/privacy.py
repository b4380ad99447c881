"""The privacy notice, made of what is really set: who sends, through whom, what is kept and for how long."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from newsletter.web.public.front import Front
from newsletter.web.public.imprint import contact, postal
from newsletter.web.public.pages import PublicPages


def privacy(front: Front, pages: PublicPages) -> APIRouter:
    router = APIRouter(route_class=pages.route_class())

    @router.get("/privacy")
    def look() -> Response:
        newsletter = front.newsletter()
        return pages.page(
            "privacy",
            indexed=True,
            contact=contact(newsletter),
            postal=postal(newsletter),
            topics=bool(front.topics()),
            practice=front.practice(),
        )

    return router
