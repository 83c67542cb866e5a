"""Both vendors keep what their OpenAPI promises: schemathesis, with all its checks."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from investigate.sandbox import clock

OPERATIONS = [("/audit-logs.fetch", "POST"), ("/v1/audit-logs", "GET"), ("/updates.json", "GET"), ("/updates", "GET")]


@pytest.fixture(scope="module")
def contract(running: Any) -> Iterator[Any]:
    before = running.switch()
    running.switch(devrev_rate_limit=1_000_000, rate_limit=1_000_000)
    schema = schemathesis.openapi.from_url(f"{running.at['devrev_url']}/openapi.json")

    # That one date must not be before another is a rule of both vendors which JSON Schema cannot say.
    @schema.hook
    def map_query(_context: Any, query: Any) -> Any:
        return in_order(query, "date_from", "date_to")

    @schema.hook
    def map_body(_context: Any, body: Any) -> Any:
        return in_order(body, "from", "to")

    yield schema
    running.switch(**before)


def in_order(values: Any, first: str, second: str) -> Any:
    """The values with two dates exchanged, if both are dates and in the wrong order."""
    try:
        if clock.parse(values[first]) > clock.parse(values[second]):
            return values | {first: values[second], second: values[first]}
    except (KeyError, TypeError, ValueError):  # there are no two dates in it, and that may be the point of it
        pass
    return values


def test_the_openapi_names_every_operation_of_the_vendors(contract: Any) -> None:
    named = {(operation.ok().path, operation.ok().method.upper()) for operation in contract.get_all_operations()}
    assert named == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("path", "method"), OPERATIONS[:3])
def test_the_openapi_is_kept(contract: Any, running: Any, path: str, method: str, mode: GenerationMode) -> None:
    headers = {
        "authorization": f"Bearer {running.at['devrev_token']}",
        "x-coderabbitai-api-key": running.at["coderabbit_workspace_key"],
    }

    @given(case=contract[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def kept(case: Any) -> None:
        case.call_and_validate(headers=headers)

    kept()
