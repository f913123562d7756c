"""Does an official SDK get the same objects through Plimsoll as straight from the provider?

Every recorded exchange is run twice with the official SDK of its provider, synchronously and
asynchronously: against the scripted upstream, and through a base URL of Plimsoll that leads to the same
upstream. Objects, stream chunks and errors must be equal. With --runs-url, the tokens and the cost that
Plimsoll recorded are compared with what genai-prices extracts and computes from the same answer.

    python3 -m venv .venv && .venv/bin/pip install -r crates/testkit/python/requirements.txt
    target/debug/scripted-upstream          # prints its base_url
    .venv/bin/python crates/testkit/python/sdk_equality.py --direct URL --via PLIMSOLL --api-key KEY
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import anthropic
import genai_prices
import openai

RUN_ID = "x-plimsoll-run-id"
API_ERRORS = (openai.OpenAIError, anthropic.AnthropicError)
ENDPOINTS = {
    "/v1/chat/completions": ("chat.completions", lambda client: client.chat.completions),
    "/v1/completions": ("completions", lambda client: client.completions),
    "/v1/embeddings": ("embeddings", lambda client: client.embeddings),
    "/v1/responses": ("responses", lambda client: client.responses),
    "/v1/messages": ("messages", lambda client: client.messages),
}
# The provider of an upstream for each recorded host, as the price table calls it. `local` serves what no other
# upstream names; localhost:5002 was asked for models of OpenAI, and a model's name is what decides.
PROVIDERS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.together.xyz": "together",
    "api.voyageai.com": "voyage",
    "api.writer.com": "writer",
    "localhost:8000": "local",
    "localhost:5002": "openai",
}


@dataclass
class Outcome:
    """What a caller of the SDK got."""

    kind: str  # object, stream, error, or refused (the SDK did not even send the request)
    value: Any
    run_id: str | None = None

    def same_as(self, other: Outcome) -> bool:
        return (self.kind, self.value) == (other.kind, other.value)


@dataclass
class Tally:
    """The counts of one endpoint and mode."""

    ran: int = 0
    equal: int = 0
    refused: int = 0


@dataclass
class Result:
    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    refused: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)
    usable: set[str] = field(default_factory=set)
    costs: Counter[str] = field(default_factory=Counter)


def main() -> int:
    warnings.simplefilter("ignore", DeprecationWarning)  # The recordings are older than the SDKs.
    args = arguments()
    exchanges = read_exchanges(args.data)
    started = time.monotonic()
    result = Result()
    for mode in ("sync", "async"):
        asyncio.run(run_all(args, exchanges, mode, result))
    seconds = time.monotonic() - started
    print_table(result, len(exchanges), seconds)
    if args.report:
        pathlib.Path(args.report).write_text(json.dumps(report(result, len(exchanges)), indent=2) + "\n")
    return 1 if result.differences or not result.usable else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--direct", required=True, help="base URL of the scripted upstream")
    parser.add_argument("--via", required=True, help="base URL of Plimsoll in front of it")
    parser.add_argument("--api-key", required=True, help="an API key of Plimsoll")
    parser.add_argument("--upstream-control", help="base URL of the upstream's control (default: --direct)")
    parser.add_argument("--runs-url", help="where to fetch LLM Runs, such as http://HOST/api/v1/runs")
    parser.add_argument("--floor-nano-usd", type=int, metavar="N",
                        help="what the tenant's floor price says that a token of a model without a price costs")
    parser.add_argument("--data", help="path of exchanges.jsonl")
    parser.add_argument("--only", help="run only the exchanges whose path, provider or id contains this")
    parser.add_argument("--report", help="write all differences to this JSON file")
    args = parser.parse_args()
    args.upstream_control = args.upstream_control or args.direct
    return args


def read_exchanges(path: str | None) -> list[dict[str, Any]]:
    root = pathlib.Path(__file__).resolve().parents[3]
    places = [root.parent / "shared/data/exchanges.jsonl"]
    if os.environ.get("PLIMSOLL_DATA"):
        places.append(pathlib.Path(os.environ["PLIMSOLL_DATA"]) / "exchanges.jsonl")
    found = [place for place in ([pathlib.Path(path)] if path else places) if place.is_file()]
    if not found:
        sys.exit(f"exchanges.jsonl is missing: put it at {places[0]} or set PLIMSOLL_DATA")
    return [json.loads(line) for line in found[0].read_text().splitlines()]


async def run_all(args: argparse.Namespace, exchanges: list[dict[str, Any]], mode: str, result: Result) -> None:
    """Runs every exchange both ways, one after the other: the pin holds for the whole upstream."""
    direct = clients(args.direct, "sk-direct", mode)
    via = clients(args.via, args.api_key, mode)
    for exchange in exchanges:
        if args.only and not any(args.only in exchange[name] for name in ("path", "provider", "id")):
            continue
        control(args, "pin", {"id": exchange["id"]})
        expected = await call(direct, exchange, mode)
        endpoint, kind = ENDPOINTS[exchange["path"]][0], mode_of(exchange)
        tally = result.tallies[(endpoint, f"{mode} {kind}")]
        unread = expected.kind == "error" and kind != "error"
        if expected.kind == "refused" or unread:
            tally.refused += 1
            result.refused[f"{endpoint}: {expected.value}"] += 1
            continue
        actual = await call(via, exchange, mode)
        tally.ran += 1
        result.usable.add(exchange["id"])
        if actual.same_as(expected):
            tally.equal += 1
        else:
            note(result, exchange, mode, "answer", first_difference(expected, actual))
        if args.runs_url:
            compare_run(args, exchange, mode, actual, result)
    control(args, "pin", {"id": None})


def clients(base_url: str, key: str, mode: str) -> dict[str, Any]:
    base_url = base_url.rstrip("/")
    options: dict[str, Any] = {"api_key": key, "max_retries": 0, "timeout": 60}
    one, other = (openai.OpenAI, anthropic.Anthropic) if mode == "sync" else (openai.AsyncOpenAI, anthropic.AsyncAnthropic)
    return {"openai": one(base_url=f"{base_url}/v1", **options), "anthropic": other(base_url=base_url, **options)}


async def call(sdks: dict[str, Any], exchange: dict[str, Any], mode: str) -> Outcome:
    sdk = sdks["anthropic" if exchange["path"] == "/v1/messages" else "openai"]
    resource = ENDPOINTS[exchange["path"]][1](sdk)
    raw = None
    try:
        raw = resource.with_raw_response.create(**keywords(resource, exchange["request"]))
        raw = await raw if mode == "async" else raw
        parsed = raw.parse()
        parsed = await parsed if inspect.isawaitable(parsed) else parsed
        if not exchange["request"].get("stream"):
            return Outcome("object", dump(parsed), raw.headers.get(RUN_ID))
        if mode == "async":
            chunks = [dump(chunk) async for chunk in parsed]
        else:
            chunks = [dump(chunk) for chunk in parsed]
        return Outcome("stream", chunks, raw.headers.get(RUN_ID))
    except API_ERRORS as error:
        return error_outcome(error)
    except (TypeError, ValueError) as error:
        if raw is not None:
            return Outcome("error", {"class": type(error).__name__, "message": str(error)})
        return Outcome("refused", f"{type(error).__name__}: {str(error).splitlines()[0]}")


def keywords(resource: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The request as arguments; what today's SDK has no argument for goes into `extra_body`."""
    known = inspect.signature(resource.create).parameters
    arguments = {name: value for name, value in request.items() if name in known}
    extra = {name: value for name, value in request.items() if name not in known}
    if extra:
        arguments["extra_body"] = extra
    return arguments


def dump(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", warnings=False)
    return value


def error_outcome(error: Exception) -> Outcome:
    response = getattr(error, "response", None)
    value = {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "body": getattr(error, "body", None),
    }
    return Outcome("error", value, response.headers.get(RUN_ID) if response is not None else None)


def mode_of(exchange: dict[str, Any]) -> str:
    if exchange["status"] >= 400:
        return "error"
    return "stream" if exchange["request"].get("stream") else "plain"


def first_difference(expected: Outcome, actual: Outcome) -> dict[str, Any]:
    if expected.kind != actual.kind:
        return {"at": "kind", "expected": [expected.kind, expected.value], "actual": [actual.kind, actual.value]}
    return differing(expected.value, actual.value, "$")


def differing(expected: Any, actual: Any, at: str) -> dict[str, Any]:
    """The first place where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in sorted(expected.keys() | actual.keys()):
            if expected.get(name) != actual.get(name) or (name in expected) != (name in actual):
                return differing(expected.get(name), actual.get(name), f"{at}.{name}")
    if isinstance(expected, list) and isinstance(actual, list):
        for place, (one, other) in enumerate(zip(expected, actual)):
            if one != other:
                return differing(one, other, f"{at}[{place}]")
        return {"at": f"{at}.length", "expected": len(expected), "actual": len(actual)}
    return {"at": at, "expected": expected, "actual": actual}


def note(result: Result, exchange: dict[str, Any], mode: str, what: str, difference: dict[str, Any]) -> None:
    result.differences.append({"id": exchange["id"], "path": exchange["path"], "provider": exchange["provider"],
                               "mode": mode, "what": what, **difference})


def compare_run(args: argparse.Namespace, exchange: dict[str, Any], mode: str, actual: Outcome, result: Result) -> None:
    """Compares what Plimsoll recorded with what genai-prices makes of the same answer."""
    if not actual.run_id:
        note(result, exchange, mode, "run", {"at": RUN_ID, "expected": "a run id", "actual": None})
        return
    run = fetch_run(args, actual.run_id)
    recorded = {name: run[name] for name in ("status", "state", "usage_source", "cost_nano_usd")}
    recorded["provider"] = run["provider"]
    recorded.update({name: (run["usage"] or {}).get(name) for name in ("input_tokens", "output_tokens")})
    kind, expected = expected_run(args, exchange, run)
    # The exact cost may lie between two nano-dollars.
    same = all(
        close(recorded[name], wanted) if name == "cost_nano_usd" else recorded[name] == wanted
        for name, wanted in expected.items()
    )
    result.costs[f"{kind}: {'equal' if same else 'different'}"] += 1
    if not same:
        expected = {name: str(wanted) if isinstance(wanted, Decimal) else wanted for name, wanted in expected.items()}
        note(result, exchange, mode, "run", {"at": actual.run_id, "expected": expected, "actual": recorded})


def close(recorded: str | None, wanted: Decimal | None) -> bool:
    if recorded is None or wanted is None:
        return recorded is wanted
    return abs(int(recorded) - wanted) < 1


def expected_run(args: argparse.Namespace, exchange: dict[str, Any], run: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    provider = PROVIDERS[exchange["host"]]
    if mode_of(exchange) == "error":
        unpaid = {"status": "failed", "usage_source": "NONE", "cost_nano_usd": None, "input_tokens": None}
        return "refused by the provider, costs nothing", {"state": "COMPLETED", "provider": provider, **unpaid}
    answer = final_answer(args, exchange)
    usage = read_usage(exchange, answer, provider)
    # A stream of chat chunks that stops without saying so may have been cut.
    status = "succeeded" if answer.get("ended", True) else "failed"
    common = {"state": "COMPLETED", "provider": provider, "status": status}
    if usage is None:
        held = {"usage_source": "ESTIMATED", "input_tokens": None, "cost_nano_usd": Decimal(run["held_nano_usd"])}
        return "no usage was reported, costs what was held", {**common, **held}
    tokens = {"input_tokens": int(usage.input_tokens or 0), "output_tokens": int(usage.output_tokens or 0)}
    common.update(usage_source="PROVIDER", **tokens)
    context = {"service_tier": answer["service_tier"]} if answer.get("service_tier") else None
    # What was held at the price of the model that was asked for is settled at it, whatever name it answers by.
    for model in filter(None, (answer.get("model"), exchange["request"]["model"])):
        try:
            priced = genai_prices.calc_price(usage, model, provider_id=provider, price_context=context)
            return "priced by genai-prices", {**common, "cost_nano_usd": priced.total_price * 10**9}
        except LookupError:
            pass
    floor = Decimal(args.floor_nano_usd) * sum(tokens.values()) if args.floor_nano_usd else None
    return "no price is known, costs the floor price", {**common, "cost_nano_usd": floor}


def read_usage(exchange: dict[str, Any], answer: dict[str, Any], provider: str) -> Any:
    """What genai-prices reads; where it knows no such provider, the counts by their usual names."""
    flavors = {"/v1/responses": "responses", "/v1/embeddings": "embeddings", "/v1/messages": "default"}
    for flavor in (flavors.get(exchange["path"], "chat"), "default"):
        try:
            return genai_prices.extract_usage(answer, provider_id=provider, api_flavor=flavor).usage
        except (LookupError, ValueError):
            pass
    usage = answer.get("usage")
    if not usage:
        return None
    total = usage.get("prompt_tokens", usage.get("total_tokens"))
    return genai_prices.Usage(input_tokens=total, output_tokens=usage.get("completion_tokens", 0))


def fetch_run(args: argparse.Namespace, run_id: str) -> dict[str, Any]:
    """The run once it is over: an SDK that reads `[DONE]` goes on before the stream has ended and is settled."""
    for _ in range(1_500):
        url = f"{args.runs_url.rstrip('/')}/{run_id}"
        run = http("GET", url, headers={"authorization": f"Bearer {args.api_key}"})
        if run["state"] != "LIVE":
            break
        time.sleep(0.02)
    return run


def final_answer(args: argparse.Namespace, exchange: dict[str, Any]) -> dict[str, Any]:
    """The answer as one object with its usage, asked for as Plimsoll asks."""
    request = dict(exchange["request"])
    if not request.get("stream"):
        return json.loads(exchange["response_body"])
    if exchange["path"].endswith("completions"):
        request["stream_options"] = {"include_usage": True}
    body = http("POST", args.direct.rstrip("/") + exchange["path"], request, raw=True)
    answer: dict[str, Any] = {}
    for line in body.splitlines():
        if not line.startswith("data:") or line.endswith("[DONE]"):
            continue
        data = json.loads(line[len("data:"):])
        part = data.get("response") or data.get("message") or data
        for name in ("model", "service_tier"):
            answer[name] = part.get(name) or answer.get(name)
        if part.get("usage"):
            answer["usage"] = {**answer.get("usage", {}), **part["usage"]}
    answer["ended"] = "[DONE]" in body or not exchange["path"].endswith("completions")
    return answer


def control(args: argparse.Namespace, command: str, body: dict[str, Any]) -> Any:
    return http("POST", f"{args.upstream_control.rstrip('/')}/_control/{command}", body)


def http(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, raw: bool = False) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {url}: {error.code} {error.read().decode()[:500]}")
    return text if raw else json.loads(text)


def report(result: Result, total: int) -> dict[str, Any]:
    return {
        "versions": {sdk.__name__: sdk.__version__ for sdk in (openai, anthropic, genai_prices)},
        "recordings": total,
        "usable": len(result.usable),
        "modes": [{"endpoint": endpoint, "mode": mode, **vars(tally)}
                  for (endpoint, mode), tally in sorted(result.tallies.items())],
        "refused": dict(result.refused),
        "costs": dict(result.costs),
        "differences": result.differences,
    }


def print_table(result: Result, total: int, seconds: float) -> None:
    print(f"{'endpoint':<18}{'mode':<14}{'ran':>6}{'equal':>7}{'not run':>9}")
    for (endpoint, mode), tally in sorted(result.tallies.items()):
        print(f"{endpoint:<18}{mode:<14}{tally.ran:>6}{tally.equal:>7}{tally.refused:>9}")
    ran, equal = (sum(getattr(t, name) for t in result.tallies.values()) for name in ("ran", "equal"))
    print(f"{equal} of {ran} calls equal; {len(result.usable)} of {total} exchanges usable; {seconds:.1f} s")
    for reason, count in result.refused.most_common():
        print(f"not run {count} x: {reason}")
    for outcome, count in sorted(result.costs.items()):
        print(f"recorded: {outcome}: {count}")
    for difference in result.differences[:20]:
        print("DIFFERENT " + json.dumps(difference)[:600])
    if len(result.differences) > 20:
        print(f"... and {len(result.differences) - 20} more differences")


if __name__ == "__main__":
    sys.exit(main())
