"""Scenario 3 of the build plan with OpenAI's SDK: from an LLM Run that failed to its Incident, its cost and what is on record.

    python scenario_3.py BASE_URL KEY fail       the call fails; prints the Incident and the proposal that follow from it
    python scenario_3.py BASE_URL KEY trace RUN  tries again twice and prints what can be reached from the LLM Run that failed

One JSON object is printed. Whoever runs it tells the provider when to fail.
"""

import json
import sys

import openai

from scenario_api import Api, wait_for


def call(client, parent=None):
    """A call, or another attempt of one; an official SDK needs a header for that and nothing else."""
    headers = {"x-plimsoll-agent": "pilot"}
    if parent is not None:
        headers["x-plimsoll-parent-run-id"] = parent
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini",
        max_tokens=50,
        messages=[{"role": "user", "content": "Which berth is free?"}],
        extra_headers=headers,
    )
    return answer.headers["x-plimsoll-run-id"]


def fail(client, api):
    try:
        stream = client.chat.completions.create(
            model="gpt-4o-mini",
            max_tokens=50,
            stream=True,
            messages=[{"role": "user", "content": "Which berth is free?"}],
            extra_headers={"x-plimsoll-agent": "pilot"},
        )
        raise SystemExit(f"the call did not fail: {sum(1 for _ in stream)} pieces")
    except openai.APIError as error:
        failed = type(error).__name__
    incidents = wait_for(api, "/api/v1/incidents?topic=ACTIVE&service=pilot", lambda page: page["items"])
    proposals = wait_for(api, "/api/v1/policy-proposals?status=PENDING", lambda page: page["items"])
    return {"raised": failed, "incidents": incidents["items"], "proposals": proposals["items"]}


def trace(client, api, run):
    again = call(client, run)
    third = call(client, again)
    of_run = api.get(f"/api/v1/runs/{run}/incidents")
    incident = of_run["items"][0]["incident_id"]
    path = f"/api/v1/incidents/{incident}"
    return {
        "attempts": [again, third],
        "incidents": of_run,
        "source_run": api.get(f"{path}/source-run"),
        "cost_impact": api.get(f"{path}/cost-impact"),
        "learnings": api.get(f"{path}/learnings"),
        "patterns": api.get("/api/v1/incidents/patterns"),
        "logs": api.get(f"/api/v1/runs/{run}/logs"),
    }


def main():
    base_url, key, step, *rest = sys.argv[1:]
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    print(json.dumps({"fail": fail, "trace": trace}[step](client, Api(base_url, key), *rest)))


if __name__ == "__main__":
    main()
