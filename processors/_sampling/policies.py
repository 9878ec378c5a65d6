"""All policies that can be configured under ``policies``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from processors._sampling.compound import (
    AndPolicy,
    CompositePolicy,
    DropPolicy,
    NotPolicy,
    SimplePolicy,
    supported,
)
from processors._sampling.policy import Policy


def _has_name(policy: Policy) -> Policy:
    if not policy.name:
        raise ValueError("the policy needs a 'name'")
    return policy


PolicyConfig = Annotated[
    Annotated[SimplePolicy | AndPolicy | NotPolicy | DropPolicy | CompositePolicy, Field(discriminator="type")],
    BeforeValidator(supported),
    AfterValidator(_has_name),
]
