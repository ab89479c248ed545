# SPDX-License-Identifier: Apache-2.0
"""A small S3 client of the tests' own, to look behind the program's back."""

import hashlib
import hmac
import http.client
import time
import urllib.parse
import xml.etree.ElementTree


class S3Error(Exception):
    pass


class S3Client:
    def __init__(self, port, access_key, secret_key, region="us-east-1"):
        self.port = port
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = region

    def request(self, method, path, query=None, body=b"", headers=None):
        """(status, headers, body); path is /bucket or /bucket/key."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host = f"127.0.0.1:{self.port}"
        payload = hashlib.sha256(body).hexdigest()
        path = urllib.parse.quote(path, safe="/-._~")
        pairs = sorted((query or {}).items())
        query_text = "&".join(f"{urllib.parse.quote(k, safe='-._~')}={urllib.parse.quote(str(v), safe='-._~')}" for k, v in pairs)
        signed = "host;x-amz-content-sha256;x-amz-date"
        signed_headers = f"host:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n"
        canonical = "\n".join((method, path, query_text, signed_headers, signed, payload))
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = ("AWS4" + self.secret_key).encode()
        for part in (stamp[:8], self.region, "s3", "aws4_request", f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        authorization = f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={signed}, Signature={key.hex()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method,
                path + ("?" + query_text if query_text else ""),
                body,
                {"x-amz-date": stamp, "x-amz-content-sha256": payload, "Authorization": authorization, **(headers or {})},
            )
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def expect(self, *arguments, **keywords):
        status, headers, body = self.request(*arguments, **keywords)
        if status >= 300:
            raise S3Error(f"{arguments[:2]}: {status} {body[:500]!r}")
        return headers, body

    def create_bucket(self, bucket):
        self.expect("PUT", f"/{bucket}")

    def get(self, bucket, key):
        return self.expect("GET", f"/{bucket}/{key}")[1]

    def get_range(self, bucket, key, offset, count):
        headers = {"Range": f"bytes={offset}-{offset + count - 1}"}
        return self.expect("GET", f"/{bucket}/{key}", headers=headers)[1]

    def delete(self, bucket, key):
        self.expect("DELETE", f"/{bucket}/{key}")

    def put(self, bucket, key, body):
        self.expect("PUT", f"/{bucket}/{key}", body=body)

    def list(self, bucket, prefix=""):
        """{key: size} of every object."""
        found, query = {}, {"list-type": "2", "prefix": prefix}
        while True:
            tree = parse(self.expect("GET", f"/{bucket}", query)[1])
            found |= {entry.findtext("Key"): int(entry.findtext("Size")) for entry in tree.iter("Contents")}
            if tree.findtext("IsTruncated") != "true":
                return found
            query["continuation-token"] = tree.findtext("NextContinuationToken")

    def uploads(self, bucket):
        """The keys of uploads in parts that are under way."""
        tree = parse(self.expect("GET", f"/{bucket}", {"uploads": ""})[1])
        return [entry.findtext("Key") for entry in tree.iter("Upload")]


def parse(body):
    """XML without its namespace."""
    tree = xml.etree.ElementTree.fromstring(body)
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree
