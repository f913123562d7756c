"""Scenario 1 of the build plan with OpenAI's SDK: a daily budget refuses what would pass it, until it is raised.

    python scenario_1.py BASE_URL KEY spend   makes the budget, spends most of it, asks for more than is left
    python scenario_1.py BASE_URL KEY raise   raises the budget, makes the refused call again

One JSON object is printed. Whoever runs it has a provider whose `mystery-1` costs $1 for each token of its answers and
answers with as many as are allowed.
"""

import json
import sys

import openai

from scenario_api import Api, refusal


def call(client, usd):
    """A call that may cost so many dollars, and does."""
    made = client.chat.completions.with_raw_response.create(
        model="mystery-1",
        max_tokens=usd,
        messages=[{"role": "user", "content": "Which berth is free?"}],
    )
    assert made.parse().usage.completion_tokens == usd
    return made.headers["x-plimsoll-run-id"]


def shown(api):
    """Every list in which the customer looks for what was spent and what was refused."""
    return {
        "costs": api.get("/api/v1/analytics/costs"),
        "usage": api.get("/api/v1/limits/usage"),
        "limits": api.get("/api/v1/runtime/policies/limits?type=BUDGET"),
        "runs": api.get("/api/v1/runs"),
    }


def spend(client, api):
    budget = {
        "name": "daily budget",
        "limit_category": "BUDGET",
        "limit_type": "COST_USD",
        "reset_period": "DAILY",
        "max_value": 50,
        "enforcement": "BLOCK",
    }
    limit = api.post("/api/v1/limits", budget)
    runs = [call(client, usd) for usd in (20, 15, 10)]
    try:
        call(client, 10)
        raise SystemExit("the call was not refused")
    except openai.RateLimitError as error:
        refused = refusal(error)
    return {"limit": limit, "spent_by": runs, "refused": refused, **shown(api)}


def raise_budget(client, api):
    [limit] = api.get("/api/v1/limits")["items"]
    limit = api.put(f"/api/v1/limits/{limit['limit_id']}", {"max_value": 100})
    return {"limit": limit, "run_id": call(client, 10), **shown(api)}


def main():
    base_url, key, step = sys.argv[1:4]
    # As it comes: it tries again by itself, unless it is told that this does not help.
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key)
    print(json.dumps({"spend": spend, "raise": raise_budget}[step](client, Api(base_url, key))))


if __name__ == "__main__":
    main()
