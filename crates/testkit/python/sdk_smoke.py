"""Do the official SDKs get answers, streams and their own exceptions from Plimsoll?

Needs no recordings: behind Plimsoll stands a provider that answers by itself. The keys come as one JSON object:
`good` (all is well), `spent` (its budget is spent), `hasty` (its rate is full), `frozen`.

    .venv/bin/python crates/testkit/python/sdk_smoke.py --base-url PLIMSOLL --keys JSON --fault-url UPSTREAM
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import urllib.request
from typing import Any, Callable

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "Which berth is free?"}]
CHAT = {"model": "gpt-4o-mini", "messages": MESSAGES, "max_tokens": 50}
MESSAGE = {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 50}


class Suite:
    def __init__(self, base_url: str, keys: dict[str, str], fault_url: str) -> None:
        self.base_url, self.keys, self.fault_url = base_url.rstrip("/"), keys, fault_url.rstrip("/")
        self.checks = 0

    def openai(self, key: str = "good", retries: int = 0) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.base_url}/v1", api_key=self.keys.get(key, key), max_retries=retries)

    def anthropic(self, key: str = "good", retries: int = 0) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.base_url, api_key=self.keys.get(key, key), max_retries=retries)

    def check(self, holds: Any, what: Any) -> None:
        self.checks += 1
        if not holds:
            raise AssertionError(what)

    def raises(self, kind: type[Exception], call: Callable[[], Any]) -> Any:
        self.checks += 1
        try:
            answer = call()
        except kind as error:
            if type(error) is not kind:
                raise AssertionError(f"{type(error).__name__} instead of {kind.__name__}") from error
            return error
        raise AssertionError(f"no {kind.__name__}, but {answer}")

    def fault(self, **fault: Any) -> None:
        data = json.dumps(fault).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.fault_url}/_control/fault", data), timeout=10).close()


def openai_answers(suite: Suite) -> None:
    client = suite.openai()
    whole = client.chat.completions.create(**CHAT)
    suite.check(whole.choices[0].message.content and whole.usage.total_tokens > 0, whole)
    parts = list(client.chat.completions.create(**CHAT, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in parts)
    suite.check(text == whole.choices[0].message.content, text)
    suite.check(all(chunk.usage is None for chunk in parts), "usage that nobody asked for")
    asked = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    suite.check(asked[-1].usage.total_tokens == whole.usage.total_tokens, asked[-1])
    with client.chat.completions.stream(**CHAT) as stream:
        suite.check(stream.get_final_completion().choices[0].message.content == text, "the stream helper")
    old = client.completions.create(model="davinci-002", prompt="Berths:", max_tokens=20)
    suite.check(old.choices[0].text, old)
    response = client.responses.create(model="gpt-4o-mini", input="Which berth is free?")
    suite.check(response.output_text and response.usage.output_tokens > 0, response)
    with client.responses.stream(model="gpt-4o-mini", input="Which berth is free?") as stream:
        suite.check(stream.get_final_response().output_text == response.output_text, "the stream of a response")
    embedded = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    suite.check(len(embedded.data) == 2 and embedded.data[0].embedding, embedded)
    suite.check(any(model.id == "gpt-4o-mini" for model in client.models.list()), "no gpt-4o-mini")


def anthropic_answers(suite: Suite) -> None:
    client = suite.anthropic()
    raw = client.messages.with_raw_response.create(**MESSAGE)
    whole = raw.parse()
    suite.check(whole.content[0].text and whole.usage.output_tokens > 0, whole)
    suite.check(whole._request_id and whole._request_id == raw.headers["x-request-id"], raw.headers)
    with client.messages.stream(**MESSAGE) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    suite.check(text == whole.content[0].text and final.usage == whole.usage, final)
    kinds = [event.type for event in client.messages.create(**MESSAGE, stream=True)]
    suite.check(kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds)
    counted = client.messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGES)
    suite.check(counted.input_tokens > 0, counted)
    suite.check(any(model.id == "claude-haiku-4-5" for model in client.models.list()), "no claude-haiku-4-5")


async def asynchronous(suite: Suite) -> None:
    client = openai.AsyncOpenAI(base_url=f"{suite.base_url}/v1", api_key=suite.keys["good"], max_retries=0)
    other = anthropic.AsyncAnthropic(base_url=suite.base_url, api_key=suite.keys["good"], max_retries=0)
    answers = await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(8)))
    suite.check(len({answer.choices[0].message.content for answer in answers}) == 1, answers)
    stream = await client.chat.completions.create(**CHAT, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    suite.check(text == answers[0].choices[0].message.content, text)
    suite.check((await client.responses.create(model="gpt-4o-mini", input="x")).output_text, "no response")
    suite.check((await client.embeddings.create(model="text-embedding-3-small", input="a")).data, "no embedding")
    suite.check((await other.messages.create(**MESSAGE)).content, "no message")
    async with other.messages.stream(**MESSAGE) as messages:
        suite.check((await messages.get_final_message()).stop_reason == "end_turn", "no end")
    await client.close()
    await other.close()


def refusals(suite: Suite) -> None:
    """Each refusal raises the exception that the SDK has for it, and tells the SDK whether to try again."""
    cases = [
        (openai, lambda key, **more: suite.openai(key).chat.completions.create(**{**CHAT, **more})),
        (anthropic, lambda key, **more: suite.anthropic(key).messages.create(**{**MESSAGE, **more})),
    ]
    for sdk, call in cases:
        ours = sdk is openai
        spent = suite.raises(sdk.RateLimitError, lambda: call("spent"))
        suite.check(spent.response.headers["x-should-retry"] == "false", spent.response.headers)
        suite.check("Budget exceeded" in str(spent), spent)
        suite.check("retry-after" not in spent.response.headers or not ours, "waiting does not help")
        hasty = suite.raises(sdk.RateLimitError, lambda: call("hasty"))
        suite.check(1 <= int(hasty.response.headers["retry-after"]) <= 3_660, hasty.response.headers)
        frozen = suite.raises(sdk.PermissionDeniedError, lambda: call("frozen"))
        suite.check("frozen" in str(frozen), frozen)
        suite.raises(sdk.AuthenticationError, lambda: call("plim_live_nonsense"))
        suite.raises(sdk.NotFoundError, lambda: call("good", model="no-such-model"))
        suite.raises(sdk.UnprocessableEntityError, lambda: call("good", max_tokens=-1))
        for error in (spent, hasty, frozen):
            headers = error.response.headers
            suite.check(error.request_id and error.request_id == headers["x-request-id"], headers)
    spent = suite.raises(openai.RateLimitError, lambda: cases[0][1]("spent"))
    suite.check((spent.code, spent.type) == ("insufficient_quota", "insufficient_quota"), spent.body)
    hasty = suite.raises(openai.RateLimitError, lambda: cases[0][1]("hasty"))
    suite.check(hasty.code == "rate_limit_exceeded", hasty.body)
    frozen = suite.raises(openai.PermissionDeniedError, lambda: cases[0][1]("frozen"))
    suite.check(frozen.code == "key_frozen", frozen.body)
    unpriced = suite.raises(openai.UnprocessableEntityError, lambda: cases[0][1]("good", model="mystery-1"))
    suite.check(unpriced.code == "unpriced_model", unpriced.body)
    began = time.monotonic()
    suite.raises(openai.RateLimitError, lambda: suite.openai("spent", retries=5).chat.completions.create(**CHAT))
    suite.raises(anthropic.RateLimitError, lambda: suite.anthropic("spent", retries=5).messages.create(**MESSAGE))
    suite.check(time.monotonic() - began < 8, "a spent budget was tried again")


def provider_errors(suite: Suite) -> None:
    """What goes wrong at the provider raises what it would raise without Plimsoll."""
    kinds = {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 422: "UnprocessableEntityError",
             429: "RateLimitError", 500: "InternalServerError"}
    for status, name in kinds.items():
        suite.fault(kind="status", status=status)
        suite.raises(getattr(openai, name), lambda: suite.openai().chat.completions.create(**CHAT))
        suite.fault(kind="status", status=status)
        suite.raises(getattr(anthropic, name), lambda: suite.anthropic().messages.create(**MESSAGE))
    # The provider does not take *our* key: that is not the client's fault and must not look like it.
    suite.fault(kind="status", status=401)
    error = suite.raises(openai.InternalServerError, lambda: suite.openai().chat.completions.create(**CHAT))
    suite.check(error.status_code == 502 and error.code == "upstream_credential_rejected", error.body)
    suite.fault(kind="drop_before_headers")
    error = suite.raises(openai.InternalServerError, lambda: suite.openai().chat.completions.create(**CHAT))
    suite.check(error.status_code == 502 and error.response.headers["x-plimsoll-run-id"], error.body)
    suite.fault(kind="drop_after_events", events=2)
    suite.raises(openai.APIError, lambda: list(suite.openai().chat.completions.create(**CHAT, stream=True)))
    suite.fault(kind="drop_after_events", events=3)
    broken = lambda: list(suite.anthropic().messages.create(**MESSAGE, stream=True))
    try:
        answer = broken()
    except anthropic.APIStatusError as error:
        suite.check("broke off" in str(error), error)
    else:
        raise AssertionError(f"a broken stream looks whole: {answer}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True, help="base URL of Plimsoll")
    parser.add_argument("--keys", required=True, type=json.loads, help="the keys as a JSON object")
    parser.add_argument("--fault-url", required=True, help="base URL of the scripted upstream, to order faults")
    args = parser.parse_args()
    suite = Suite(args.base_url, args.keys, args.fault_url)
    for part in (openai_answers, anthropic_answers, refusals, provider_errors):
        part(suite)
    asyncio.run(asynchronous(suite))
    print(f"{suite.checks} checks hold (openai {openai.__version__}, anthropic {anthropic.__version__})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
