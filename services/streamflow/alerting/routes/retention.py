"""Retention over HTTP."""

from fastapi import APIRouter

from streamflow.alerting.retention import Retention
from streamflow.alerting.routes.errors import LATER
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.retention import Policy, Run


def retention_routes(retention: Retention, guard: Guard) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/retention", tags=["retention"], responses={**REFUSED, **LATER})

    @routes.get("", dependencies=[guard.reads])
    async def policy() -> Policy:
        """The retention policy, as of now."""
        return await retention.policy()

    @routes.post("/run", dependencies=[guard.writes])
    async def run() -> Run:
        """Delete what is older than the policy allows, now instead of within the hour."""
        return await retention.run()

    return routes
