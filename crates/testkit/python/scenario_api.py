"""What the scenarios of the build plan have in common: our own routes, and how a refusal looks to an SDK."""

import json
import time
import urllib.request

DEADLINE = 30.0


class Api:
    """Our own routes, with the key that the SDK uses."""

    def __init__(self, base_url, key):
        self.base_url, self.key = base_url, key

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body):
        return self.send("POST", path, body)

    def put(self, path, body):
        return self.send("PUT", path, body)

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data=data, method=method)
        request.add_header("authorization", f"Bearer {self.key}")
        if data is not None:
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return json.load(answer)


def wait_for(api, path, wanted):
    """The first page of a list in which there is what is wanted."""
    until = time.monotonic() + DEADLINE
    while True:
        page = api.get(path)
        if wanted(page) or time.monotonic() > until:
            return page
        time.sleep(0.05)


def refusal(error):
    """What a client sees of an `openai.APIStatusError`."""
    return {
        "raised": type(error).__name__,
        "status": error.status_code,
        "code": error.code,
        "type": error.type,
        "message": str(error),
        "headers": dict(error.response.headers),
    }
