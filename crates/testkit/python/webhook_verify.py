"""Checks signed messages with the reference library of Standard Webhooks.

Takes a JSON object: `secrets`, and `messages` with `headers` and `body`. Prints for each message which of the secrets its
signature is right for, and how often it still was when one byte of the body, the id or the time was another.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def changed(message):
    body, headers = message["body"], message["headers"]
    for place in range(len(body)):
        other = "0" if body[place] != "0" else "1"
        yield body[:place] + other + body[place + 1 :], headers
    yield body, {**headers, "webhook-id": headers["webhook-id"] + "x"}
    second = int(headers["webhook-timestamp"])
    yield body, {**headers, "webhook-timestamp": str(second + 1)}
    yield body, {**headers, "webhook-timestamp": str(second - 301)}


given = json.loads(sys.argv[1])
told = []
for message in given["messages"]:
    right = [secret for secret in given["secrets"] if verifies(secret, message["body"], message["headers"])]
    forged = sum(verifies(secret, body, headers) for body, headers in changed(message) for secret in right)
    told.append({"right": right, "forged": forged})
print(json.dumps(told))
