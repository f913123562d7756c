"""Signs random requests with botocore, the signer of AWS's own SDK for Python, and prints one JSON object for each."""

import argparse
import json
import random
import string
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TEXTS = string.ascii_letters + string.digits + "-._~ !\"#$%&'()*+,/:;<=>?@[]^`{|}" + "äßé中文🙂\u00a0"


def text(rng, most):
    return "".join(rng.choice(TEXTS) for _ in range(rng.randint(0, most)))


def path(rng):
    parts = []
    for _ in range(rng.randint(0, 5)):
        kind = rng.random()
        if kind < 0.1:
            parts.append(rng.choice(["", ".", ".."]))
        else:
            parts.append(urllib.parse.quote(text(rng, 8), safe=rng.choice(["", "@:!", "~"])))
    return "/" + "/".join(parts) + rng.choice(["", "", "/"])


def headers(rng):
    out = {"Content-Type": "application/json"} if rng.random() < 0.7 else {}
    for number in range(rng.randint(0, 4)):
        name = rng.choice(["X-Custom", "Idempotency-Key", "If-Match", "x-amz-nonce", "X-AMZ-Meta", "Accept"])
        blank = rng.choice(["", " ", "  ", "\t "])
        value = "".join(rng.choice(string.ascii_letters + string.digits + "\"=,;/äé ") for _ in range(12))
        out[name] = f"{blank}{value}{blank * 2}{number}"
    return out


def build(rng, base):
    params = [(text(rng, 6), text(rng, 6)) for _ in range(rng.randint(0, 4))]
    url, query = base + path(rng), None
    if rng.random() < 0.5:
        # A dictionary, as boto3 has it: botocore itself encodes and sorts.
        query = dict(params)
    elif params:
        pairs = [urllib.parse.quote(n, safe="-_.~") + "=" + urllib.parse.quote(v, safe="-_.~") for n, v in params]
        url += "?" + "&".join(pairs)
    method = rng.choice(["GET", "POST", "PATCH", "PUT", "DELETE"])
    body = text(rng, 40).encode() if rng.random() < 0.7 else b""
    return AWSRequest(method=method, url=url, params=query or {}, data=body, headers=headers(rng))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=100)
    arguments.add_argument("--access-key", default="PLIMAAAAAAAAAAAAAAAA")
    arguments.add_argument("--secret", required=True)
    arguments.add_argument("--region", default="us-east-1")
    arguments.add_argument("--service", default="execute-api")
    given = arguments.parse_args()
    rng = random.Random(given.seed)
    for number in range(given.count):
        token = text(rng, 20).strip().encode("ascii", "ignore").decode() or None if rng.random() < 0.2 else None
        signer = SigV4Auth(Credentials(given.access_key, given.secret, token), given.service, given.region)
        base = rng.choice(["http://127.0.0.1:8080", "http://plimsoll.example", "https://plimsoll.example:8443"])
        request = build(rng, base)
        signer.add_auth(request)
        sent = request.prepare()
        split = urllib.parse.urlsplit(sent.url)
        lines = [["host", split.netloc]]
        for name, value in sent.headers.items():
            value = value if isinstance(value, bytes) else str(value).encode()
            lines.append([name.lower(), value.hex()])
        lines[0][1] = lines[0][1].encode().hex()
        body = sent.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        print(
            json.dumps(
                {
                    "number": number,
                    "method": sent.method,
                    "path": split.path,
                    "query": split.query,
                    "headers": lines,
                    "body": body.hex(),
                }
            )
        )


if __name__ == "__main__":
    main()
