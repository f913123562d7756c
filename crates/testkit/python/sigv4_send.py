"""Signs one request with botocore, the signer of boto3, and sends it: prints the status and the body of the answer."""

import argparse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

arguments = argparse.ArgumentParser()
arguments.add_argument("method")
arguments.add_argument("url")
arguments.add_argument("--access-key", required=True)
arguments.add_argument("--secret", required=True)
arguments.add_argument("--body", default="")
arguments.add_argument("--header", action="append", default=[])
given = arguments.parse_args()

headers = dict(header.split(":", 1) for header in given.header)
request = AWSRequest(method=given.method, url=given.url, data=given.body.encode() or None, headers=headers)
SigV4Auth(Credentials(given.access_key, given.secret), "execute-api", "us-east-1").add_auth(request)
answer = URLLib3Session().send(request.prepare())
print(answer.status_code, answer.text)
