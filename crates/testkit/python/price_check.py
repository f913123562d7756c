"""What do the recorded exchanges cost according to PyPI's genai-prices?

    pip install genai-prices==0.2.1
    python price_check.py exchanges.jsonl > theirs.tsv
    cargo run -p services --example price_check -- exchanges.jsonl > ours.tsv
    python price_check.py --compare theirs.tsv ours.tsv

One line per usable exchange: id, provider, model, input, cache read, cache write, output and reasoning
tokens, and the price in nano-USD at 2026-11-01T00:00:00Z, rounded half up from an exact Decimal. The answers
are read here without any of our own code: streams are put together event by event.
"""

import json
import sys
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal

INSTANT = datetime(2026, 11, 1, tzinfo=timezone.utc)
FLAVORS = {
    "/v1/chat/completions": ("chat", "default"),
    "/v1/completions": ("chat", "default"),
    "/v1/embeddings": ("embeddings", "default", "chat"),
    "/v1/responses": ("responses",),
    "/v1/messages": ("anthropic", "default"),
}


def events(body):
    for block in body.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].lstrip() for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def whole_answer(path, body):
    """The answer as it would be if it were not streamed, as far as prices need it."""
    answer = {}
    for event in events(body):
        if path == "/v1/responses":
            if event["type"] in ("response.completed", "response.incomplete", "response.failed"):
                answer = event["response"]
        elif path == "/v1/messages":
            if event["type"] == "message_start":
                answer = event["message"]
            elif event["type"] == "message_delta":
                answer["usage"].update({k: v for k, v in event["usage"].items() if v is not None})
        else:
            for key in ("model", "service_tier", "usage"):
                if event.get(key):
                    answer[key] = event[key]
            usage = (event.get("x_groq") or {}).get("usage")
            if usage:
                answer["usage"] = usage
    return answer


def by_names(usage):
    """For providers that the package cannot read: the counts by their usual names."""
    from genai_prices import Usage

    total_in = usage.get("prompt_tokens", usage.get("input_tokens"))
    total_out = usage.get("completion_tokens", usage.get("output_tokens"))
    if total_in is None and total_out is None:
        total_in = usage["total_tokens"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(input_tokens=total_in or 0, output_tokens=total_out or 0, cache_read_tokens=cached)


def extract(answer, url, path):
    from genai_prices import data_snapshot

    try:
        provider = data_snapshot.get_snapshot().find_provider(None, None, url)
    except LookupError:
        return None, by_names(answer["usage"])
    has = [extractor.api_flavor for extractor in provider.extractors or []]
    for flavor in FLAVORS[path]:
        if flavor in has:
            try:
                _model, usage = provider.extract_usage(answer, api_flavor=flavor)
                return provider.id, usage
            except (ValueError, LookupError) as error:
                print(f"{provider.id} {flavor}: {error}", file=sys.stderr)
                break
    return provider.id, by_names(answer["usage"])


def price(usage, model, provider, tier):
    from genai_prices import calc_price

    context = {"service_tier": tier} if tier else None
    try:
        found = calc_price(
            usage, model, provider_id=provider, genai_request_timestamp=INSTANT, price_context=context
        )
    except LookupError:
        return "UNPRICED"
    nano = found.total_price * Decimal(10) ** 9
    return str(nano.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def main(source):
    with open(source, encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange["status"] != 200:
                continue
            path, body = exchange["path"], exchange["response_body"]
            streamed = exchange["response_headers"]["content-type"].startswith("text/event-stream")
            answer = whole_answer(path, body) if streamed else json.loads(body)
            if not answer.get("usage"):
                continue
            provider, usage = extract(answer, f"https://{exchange['host']}{path}", path)
            model = answer.get("model") or ""
            counts = [
                getattr(usage, key) or 0
                for key in (
                    "input_tokens",
                    "cache_read_tokens",
                    "cache_write_tokens",
                    "output_tokens",
                    "output_reasoning_tokens",
                )
            ]
            nano = price(usage, model, provider, answer.get("service_tier")) if provider else "UNPRICED"
            print(exchange["id"], provider or "none", model, *counts, nano, sep="\t")


def compare(left, right):
    def read(name):
        with open(name, encoding="utf-8") as lines:
            return {line.split("\t")[0]: line.rstrip("\n") for line in lines}

    theirs, ours = read(left), read(right)
    ids = sorted(theirs.keys() | ours.keys())
    different = [key for key in ids if theirs.get(key) != ours.get(key)]
    for key in different:
        print(f"- {theirs.get(key)}\n+ {ours.get(key)}")
    unpriced = sum(line.endswith("UNPRICED") for line in theirs.values())
    print(f"{len(ids)} compared, {len(ids) - len(different)} equal ({unpriced} of theirs unpriced)")
    return 1 if different else 0


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        sys.exit(compare(*sys.argv[2:4]))
    main(sys.argv[1])
