"""`GET /docs`: Swagger UI from a package, so that it needs nothing of the internet; fenced in by headers."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.routes.lean import LeanRoute

router = APIRouter(route_class=LeanRoute, include_in_schema=False)
SECURITY = {
    # Swagger UI styles its elements in place, and its icons are data: URIs; it asks this service and nobody else.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ONE-PEACE Server</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""
SCRIPT = """\
SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false});
"""
REMEMBER = {"Cache-Control": "max-age=3600"}


@router.get("/docs")
async def page(request: Request) -> Response:  # noqa: ARG001 (the route's signature)
    """The page; its addresses are relative, so it works below a path of a proxy, too."""
    return Response(PAGE, headers=SECURITY, media_type="text/html")


@router.get("/docs/page.js")
async def script(request: Request) -> Response:  # noqa: ARG001
    """Starts Swagger UI; a script of its own, because the page may hold none."""
    return Response(SCRIPT, headers=SECURITY, media_type="text/javascript")


@router.get("/docs/swagger-ui-bundle.js")
async def bundle(request: Request) -> Response:  # noqa: ARG001
    """Swagger UI."""
    return Response(_content("swagger-ui-bundle.js"), headers=SECURITY | REMEMBER, media_type="text/javascript")


@router.get("/docs/swagger-ui.css")
async def style(request: Request) -> Response:  # noqa: ARG001
    """Its looks."""
    return Response(_content("swagger-ui.css"), headers=SECURITY | REMEMBER, media_type="text/css")


@cache
def _content(name: str) -> bytes:
    return (files("fastapi_offline") / "static" / name).read_bytes()
