"""Web pages of other origins (CORS): none unless the settings name them."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from service.settings import Settings

METHODS = ("GET", "POST")
ASKED_HEADERS = ("accept", "authorization", "content-type", "traceparent", "x-request-id")
SHOWN_HEADERS = ("retry-after", "server-timing", "traceparent", "www-authenticate", "x-request-id")
REMEMBER_S = 600
"""For a browser to remember that it may call."""


def with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application, for pages of the origins in the settings, too.

    Never with what a browser sends by itself (`Access-Control-Allow-Credentials`): a page has to have a key.
    """
    origins = settings.origins()
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=ASKED_HEADERS,
        expose_headers=SHOWN_HEADERS,
        max_age=REMEMBER_S,
    )
