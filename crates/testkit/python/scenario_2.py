"""Scenario 2 of the build plan with OpenAI's SDK: a failure becomes an Incident, a proposal, a Policy Rule, a prevention.

    python scenario_2.py BASE_URL KEY fail      the call fails; prints what the loop has made of it
    python scenario_2.py BASE_URL KEY prevent   approves the proposal, makes the call again; prints what became of it

One JSON object is printed. Whoever runs it tells the provider when to fail.
"""

import json
import sys

import openai

from scenario_api import Api, refusal, wait_for


def call(client):
    """The call that fails or is refused: a stream with a tool, as an agent makes it."""
    return client.chat.completions.create(
        model="gpt-4o-mini",
        max_tokens=50,
        stream=True,
        messages=[{"role": "user", "content": "Which berth is free?"}],
        tools=[{"type": "function", "function": {"name": "berths", "parameters": {"type": "object", "properties": {}}}}],
        extra_headers={"x-plimsoll-agent": "harbour-master"},
    )


def fail(client, api):
    try:
        pieces = sum(1 for _ in call(client))
        raise SystemExit(f"the call did not fail: {pieces} pieces")
    except openai.APIError as error:
        failed = type(error).__name__
    incidents = wait_for(api, "/api/v1/runtime/incidents?topic=ACTIVE", lambda page: page["total"])
    proposals = api.get("/api/v1/policy-proposals?status=PENDING")
    return {"raised": failed, "incidents": incidents, "proposals": proposals["items"]}


def prevent(client, api):
    [proposal] = api.get("/api/v1/policy-proposals?status=PENDING")["items"]
    path = f"/api/v1/policy-proposals/{proposal['proposal_id']}/approve"
    approved = api.post(path, {"enforcement_mode": "BLOCK"})
    rule = approved["rule_id"]
    try:
        list(call(client))
        raise SystemExit("the call was not refused")
    except openai.PermissionDeniedError as error:
        refused = refusal(error)
    incidents = api.get("/api/v1/runtime/incidents?topic=ACTIVE")
    effectiveness = api.get(f"/api/v1/policies/rules/{rule}/effectiveness")
    rules = api.get("/api/v1/runtime/policies/rules?status=ACTIVE")
    return {
        "rule_id": rule,
        "refused": refused,
        "incidents": incidents,
        "effectiveness": effectiveness,
        "rules": rules,
    }


def main():
    base_url, key, step = sys.argv[1:4]
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    print(json.dumps({"fail": fail, "prevent": prevent}[step](client, Api(base_url, key))))


if __name__ == "__main__":
    main()
