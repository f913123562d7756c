"""Takes an Incident through its whole life with requests that botocore, the signer of boto3, has signed, and then sends
requests that were altered after they were signed.

    python incident_control.py BASE_URL ACCESS_KEY SECRET

One JSON object is printed: what every step answered.
"""

import json
import sys
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

AUTHORITY = {"authorityType": "ON_CALL_SRE"}
DONE = "the bad deployment was rolled back"
LIFE = [
    {"newState": "MITIGATING"},
    {"newState": "RESOLVED", "resolutionSummary": DONE, "resolutionType": "FIXED"},
    {"newState": "CLOSED", "postMortemRef": "https://wiki.example/pm-7"},
]


class Api:
    def __init__(self, base, access_key, secret):
        self.base = base
        self.credentials = Credentials(access_key, secret)
        self.session = URLLib3Session()
        self.count = 0

    def signed(self, method, path, body=None, headers=None, region="us-east-1", service="execute-api"):
        """A request that is signed and not sent. Two that are alike have two signatures."""
        self.count += 1
        all_headers = {"x-amz-nonce": str(self.count), **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            all_headers["content-type"] = "application/json"
        request = AWSRequest(method=method, url=self.base + path, data=data, headers=all_headers)
        SigV4Auth(self.credentials, service, region).add_auth(request)
        return request.prepare()

    def send(self, prepared):
        answer = self.session.send(prepared)
        body = json.loads(answer.text)
        return {"status": answer.status_code, "code": body.get("error", {}).get("code"), "body": body,
                "replayed": answer.headers.get("x-idempotency-replayed")}

    def call(self, *args, **kwargs):
        return self.send(self.signed(*args, **kwargs))


def report(title):
    return {"service": "api-gateway", "severity": "SEV1", "title": title, "description": "since noon",
            "authority": AUTHORITY}


def life(api):
    """From the report to the end; what every step answered."""
    key = {"idempotency-key": "7d0c2f0e-5f5f-4d43-9d1c-0b7b9c1f5a10"}
    made = api.call("POST", "/incidents", report("High error rate"), key)
    again = api.call("POST", "/incidents", report("High error rate"), key)
    other = api.call("POST", "/incidents", report("Another"), key)
    incident = made["body"]["incidentId"]
    steps = [api.call("PATCH", f"/incidents/{incident}/state", {**step, "authority": AUTHORITY}) for step in LIFE]
    listed = api.call("GET", "/incidents?" + urllib.parse.urlencode({"service": "api-gateway", "state": "CLOSED"}))
    return {
        "incident": incident, "made": made, "again": again, "other": other, "steps": steps, "listed": listed,
        "read": api.call("GET", f"/incidents/{incident}"),
        "timeline": api.call("GET", f"/incidents/{incident}/timeline"),
        "replay": api.call("GET", f"/incidents/{incident}/replay"),
    }


def altered(api):
    """Requests that are not what was signed; none of them changes anything."""
    incident = api.call("POST", "/incidents", report("For the forger"))["body"]["incidentId"]
    path, body = f"/incidents/{incident}/state", {"newState": "MITIGATING", "authority": AUTHORITY}

    def sent(change, method="PATCH", path=path, body=body, **kwargs):
        prepared = api.signed(method, path, body, **kwargs)
        change(prepared)
        return api.send(prepared)

    def replace(prepared, name, value):
        del prepared.headers[name]
        prepared.headers[name] = value

    out = {
        "body": sent(lambda it: setattr(it, "body", it.body.replace(b"MITIGATING", b"CANCELLED "))),
        "path": sent(lambda it: setattr(it, "url", it.url.replace("/state", "/state/"))),
        "other path": sent(lambda it: setattr(it, "url", api.base + "/incidents"), method="POST"),
        "query": sent(lambda it: setattr(it, "url", it.url.replace("OPEN", "PENDING")),
                      method="GET", path="/incidents?state=OPEN", body=None),
        "more query": sent(lambda it: setattr(it, "url", it.url + "?x=1")),
        "header": sent(lambda it: replace(it, "x-amz-nonce", "another")),
        "unsigned header": sent(lambda it: it.headers.__setitem__("idempotency-key", "stolen")),
        "date": sent(lambda it: replace(it, "X-Amz-Date", it.headers["X-Amz-Date"][:-2] + "XZ")),
        "old date": sent(lambda it: replace(it, "X-Amz-Date", "20200101T000000Z")),
        "region": sent(lambda it: None, region="eu-west-1"),
        "service": sent(lambda it: None, service="s3"),
        "method": sent(lambda it: setattr(it, "method", "POST"), path="/incidents"),
        "no signature": sent(lambda it: it.headers.__delitem__("Authorization")),
    }
    once = api.signed("PATCH", path, body)
    out["as signed"] = api.send(once)
    out["replayed"] = api.send(once)
    report_once = api.signed("POST", "/incidents", report("Once"))
    out["report as signed"] = api.send(report_once)
    out["report replayed"] = api.send(report_once)
    out["after"] = api.call("GET", f"/incidents/{incident}")
    return out


if __name__ == "__main__":
    made = Api(*sys.argv[1:4])
    print(json.dumps({"life": life(made), "altered": altered(made)}))
