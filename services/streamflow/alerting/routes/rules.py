"""Rules and conditions over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from streamflow.alerting.conditions import Condition, parse
from streamflow.alerting.routes.errors import ABSENT, LATER
from streamflow.alerting.rulebook import Rulebook
from streamflow.alerting.rules import Rule, RuleDraft, Rules
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.bodies import TOO_LARGE
from streamflow.shared.errors import INVALID


class Draft(BaseModel):
    """A rule in the making; its condition is text as a person writes it."""

    model_config = ConfigDict(extra="forbid")

    condition: Annotated[
        Condition,
        BeforeValidator(parse, json_schema_input_type=str),
        WithJsonSchema({"type": "string", "examples": ["error_rate > 0.05 over 5m"]}),
    ]


def rule_routes(rulebook: Rulebook, guard: Guard) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["rules"])

    @routes.post(
        "/conditions/parse", responses={**INVALID, **REFUSED, **TOO_LARGE}, dependencies=[guard.reads]
    )
    async def parse_condition(draft: Draft) -> Condition:
        """What a condition means, or what is wrong with it. Nothing is kept."""
        return draft.condition

    @routes.post(
        "/rules",
        status_code=201,
        responses={**INVALID, **REFUSED, **TOO_LARGE, **LATER},
        dependencies=[guard.writes],
    )
    async def create_rule(draft: RuleDraft) -> Rule:
        """A new rule; windows from now on are judged by it."""
        return await rulebook.create(draft)

    @routes.get("/rules", responses={**REFUSED, **LATER}, dependencies=[guard.reads])
    async def list_rules() -> Rules:
        """Every rule, by name."""
        return Rules(rules=await rulebook.all())

    @routes.get(
        "/rules/{rule_id}", responses={**INVALID, **REFUSED, **ABSENT, **LATER}, dependencies=[guard.reads]
    )
    async def get_rule(rule_id: UUID) -> Rule:
        """One rule."""
        return await rulebook.get(rule_id)

    @routes.put(
        "/rules/{rule_id}",
        responses={**INVALID, **REFUSED, **TOO_LARGE, **ABSENT, **LATER},
        dependencies=[guard.writes],
    )
    async def replace_rule(rule_id: UUID, draft: RuleDraft) -> Rule:
        """The rule as it is from now on. With another condition, or disabled, its open alert is resolved."""
        return await rulebook.replace(rule_id, draft)

    @routes.delete(
        "/rules/{rule_id}",
        status_code=204,
        responses={**INVALID, **REFUSED, **ABSENT, **LATER},
        dependencies=[guard.writes],
    )
    async def delete_rule(rule_id: UUID) -> None:
        """Forget a rule. Its open alert is resolved; its alerts stay."""
        await rulebook.delete(rule_id)

    return routes
