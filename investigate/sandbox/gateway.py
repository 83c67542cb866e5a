"""What stands before both vendors: delay, the outages of a proxy, the answer to an unknown path; and the switches.

`POST /sandbox/switch` belongs to no vendor: it changes what the sandbox does while it serves.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from investigate.sandbox.settings import Switches

VENDOR_PATHS: Final = ("/audit-logs.fetch", "/v1/audit-logs")
_BAD_GATEWAY: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


class SwitchRequest(BaseModel):
    """What to change; what is left out stays as it is. Delays in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    muted: bool | None = None
    computer_sku: bool | None = None
    arrivals: int | None = Field(None, ge=0, le=1000, description="Entries that arrive after each CodeRabbit page")
    backdated: int | None = Field(None, ge=0, le=1000, description="So many of them dated into the asked range")
    latency: float | None = Field(None, ge=0, le=60)
    outages: int | None = Field(None, ge=0, le=1000, description="So many requests are answered by a broken proxy")
    ingestion_delay: float | None = Field(None, ge=0, le=86_400)
    export_delay: float | None = Field(None, ge=0, le=86_400)
    link_lifetime: int | None = Field(None, ge=1, le=604_800)
    devrev_rate_limit: int | None = Field(None, ge=0, le=1_000_000)
    rate_limit: int | None = Field(None, ge=0, le=1_000_000)


def router(switches: Switches) -> APIRouter:
    """The route that throws switches."""
    # Not in the OpenAPI: a tool that tries out everything it finds there would throw the switches of its own test.
    routes = APIRouter(prefix="/sandbox", include_in_schema=False)

    @routes.post("/switch")
    def switch(change: SwitchRequest) -> dict[str, bool | int | float]:
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(switches, name, value)
        return asdict(switches)

    return routes


@dataclass(frozen=True, slots=True)
class Gateway:
    """ASGI middleware before the vendors' paths: waits as long as the switch says, or answers like a broken proxy."""

    app: ASGIApp
    switches: Switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["path"] in VENDOR_PATHS:
            if self.switches.latency:
                await asyncio.sleep(self.switches.latency)
            if self.switches.outages > 0:
                self.switches.outages -= 1
                await HTMLResponse(_BAD_GATEWAY, 502)(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def no_such_route(request: Request, error: Exception) -> JSONResponse:
    """Unknown paths and methods, in the shape of the vendor whose path it is nearest to."""
    if not isinstance(error, HTTPException):
        raise error
    message = str(error.detail)
    body: dict[str, Any] = {"type": "not_found", "message": message, "detail": message}
    if request.url.path.startswith("/v1/"):
        body = {"error": {"code": "NOT_FOUND", "message": message}}
    return JSONResponse(body, error.status_code, error.headers)


def describe(app: FastAPI) -> None:
    """Give the application its OpenAPI, with the ways to authenticate that its routes name."""
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schema.setdefault("components", {})["securitySchemes"] = {
        "devrev": {"type": "http", "scheme": "bearer", "description": "A personal access token"},
        "coderabbit": {"type": "apiKey", "in": "header", "name": "x-coderabbitai-api-key"},
    }
    app.openapi_schema = schema
