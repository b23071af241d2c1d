"""The rules in the database."""

import json
from typing import Any
from uuid import UUID, uuid4

from streamflow.alerting import ledger
from streamflow.alerting.alerts import BY_RULE, NoSuch
from streamflow.alerting.changes import Changes
from streamflow.alerting.rules import Rule, RuleDraft
from streamflow.alerting.store import Row, Session, Store
from streamflow.shared.windows.snapshot import WindowSnapshot

_COLUMNS = """id, name, condition, level, channels, suppress_seconds, escalate_after_seconds, escalate_channels,
    enabled, minimum_count, created_at, updated_at"""
_ADD = f"""
INSERT INTO alerting_rules (name, condition, span, level, channels, suppress_seconds, escalate_after_seconds,
    escalate_channels, enabled, minimum_count, id, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) RETURNING {_COLUMNS}
"""  # noqa: S608  # columns, written above
# Windows of another length are judged afresh; `span` is the old one where it is compared.
_REPLACE = f"""
UPDATE alerting_rules SET name = $1, condition = $2, level = $4, channels = $5, suppress_seconds = $6,
    escalate_after_seconds = $7, escalate_channels = $8, enabled = $9, minimum_count = $10, updated_at = $12,
    judged_start = CASE WHEN span = $3 THEN judged_start END,
    judged_revision = CASE WHEN span = $3 THEN judged_revision END,
    span = $3
WHERE id = $11 RETURNING {_COLUMNS}
"""  # noqa: S608
_ALL = f"SELECT {_COLUMNS} FROM alerting_rules ORDER BY name, id"  # noqa: S608
_ONE = f"SELECT {_COLUMNS} FROM alerting_rules WHERE id = $1"  # noqa: S608
# Locks the rules, always in one order, until the transaction ends: so replicas judge one after the other, and none sees
# a window that is older than one that was judged.
_TO_JUDGE = f"""
SELECT {_COLUMNS} FROM alerting_rules
WHERE span = $1 AND enabled
    AND (judged_start IS NULL OR judged_start < $2 OR (judged_start = $2 AND judged_revision < $3))
ORDER BY id FOR UPDATE
"""  # noqa: S608
# A list of ids in one text, for the databases have no list in common; a statement a rule would take too long.
_JUDGED = """
UPDATE alerting_rules SET judged_start = $2, judged_revision = $3
WHERE span = $1 AND $4 LIKE '%' || CAST(id AS TEXT) || '%'
"""
_DELETE = f"DELETE FROM alerting_rules WHERE id = $1 RETURNING {_COLUMNS}"  # noqa: S608


class Rulebook:
    """Creates, reads, updates and deletes rules."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def create(self, draft: RuleDraft) -> Rule:
        """A new rule."""
        async with self._store.transaction() as session:
            (row,) = await session.rows(_ADD, *_values(draft), uuid4(), await session.now())
        return _rule(row)

    async def all(self) -> tuple[Rule, ...]:
        """Every rule, by name."""
        async with self._store.transaction() as session:
            return tuple(map(_rule, await session.rows(_ALL)))

    async def get(self, rule_id: UUID) -> Rule:
        """One rule. Raises NoSuch."""
        async with self._store.transaction() as session:
            found = await one(session, rule_id)
        if found is None:
            raise NoSuch(f"there is no rule {rule_id}")
        return found

    async def replace(self, rule_id: UUID, draft: RuleDraft) -> Rule:
        """The rule as it is from now on. Raises NoSuch.

        An open alert that the rule wouldn't stand for any more, for it is disabled or its condition is another one,
        is resolved.
        """
        async with self._store.transaction() as session:
            before = await one(session, rule_id)
            rows = await session.rows(_REPLACE, *_values(draft), rule_id, await session.now())
            if before is None or not rows:
                raise NoSuch(f"there is no rule {rule_id}")
            resolved = None
            if not draft.enabled or before.condition != draft.condition:
                resolved = await ledger.resolve_of_rule(session, rule_id, BY_RULE)
        if resolved is not None:
            self._changes.note("resolved")
        return _rule(rows[0])

    async def delete(self, rule_id: UUID) -> None:
        """Forget a rule; its open alert is resolved, and its alerts stay. Raises NoSuch."""
        async with self._store.transaction() as session:
            if not await session.rows(_DELETE, rule_id):
                raise NoSuch(f"there is no rule {rule_id}")
            resolved = await ledger.resolve_of_rule(session, rule_id, BY_RULE)
        if resolved is not None:
            self._changes.note("resolved")


async def one(session: Session, rule_id: UUID) -> Rule | None:
    """The rule of this id, if there is one."""
    rows = await session.rows(_ONE, rule_id)
    return _rule(rows[0]) if rows else None


async def to_judge(session: Session, snapshot: WindowSnapshot) -> tuple[Rule, ...]:
    """The enabled rules over windows of this kind that have judged no newer one; they are locked."""
    rows = await session.rows(_TO_JUDGE, snapshot.window, snapshot.start, snapshot.revision)
    return tuple(map(_rule, rows))


async def judged(session: Session, rules: tuple[Rule, ...], snapshot: WindowSnapshot) -> None:
    """These rules have judged this window, and judge no older one from now on."""
    ids = " ".join(str(rule.id) for rule in rules)
    await session.rows(_JUDGED, snapshot.window, snapshot.start, snapshot.revision, ids)


def _values(draft: RuleDraft) -> tuple[object, ...]:
    plain: dict[str, Any] = draft.model_dump(mode="json")
    return (
        draft.name,
        draft.condition,
        draft.parsed().window,
        draft.level.value,
        json.dumps(plain["channels"]),
        draft.suppress_seconds,
        draft.escalate_after_seconds,
        json.dumps(plain["escalate_channels"]),
        draft.enabled,
        draft.minimum_count,
    )


def _rule(row: Row) -> Rule:
    lists = {name: json.loads(row[name]) for name in ("channels", "escalate_channels")}
    return Rule.model_validate(row | lists)
