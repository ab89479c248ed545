# SPDX-License-Identifier: Apache-2.0
"""The tests of the object store against Ceph's gateway as well, and what only that one has. Runs with --deep."""

import http.client
import os
import unittest

import test_s3
import test_store
from ceph_rgw import Rgw, rgw_installed
from rowsieve_test import DEEP, EXIT_CONFIG, need_tool
from s3_client import parse


def setUpModule():
    if not DEEP:
        raise unittest.SkipTest("only with --deep")


class RgwStore(test_store.S3Store):
    """Mixin for a Case, before the class whose tests it takes over."""

    server_type = Rgw

    @classmethod
    def need_server(cls):
        need_tool("Ceph RGW", rgw_installed())


class Exact(RgwStore, test_store.ExactSwift):
    pass


class ExactVirtual(RgwStore, test_store.ExactSwiftVirtual):
    pass


class StoreCommands(RgwStore, test_store.SwiftStoreCommands):
    pass


class Troubled(RgwStore, test_store.TroubledStore):
    DELIVERIES = 500  # in memory


class LargeFiles(RgwStore, test_s3.LargeFiles):
    """CompleteMultipartUpload answers without an ETag here: HEAD has to confirm it."""

    SIZE = 300 << 20


class NamesAndAddresses(RgwStore, test_s3.NamesAndAddresses):
    pass


class VersionTwo(RgwStore, test_s3.VersionTwo):
    pass


class ExplainedFailures(RgwStore, test_s3.ExplainedFailures):
    # The gateway does not look at the region, and its clock and certificate are Swift's matter.
    test_wrong_region = test_wrong_clock = test_unknown_authority = None


class BodiesOfKnownLength(RgwStore, test_s3.S3Case):
    def test_a_body_without_a_length_is_refused_and_ours_have_one(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.shared_server.port, timeout=60)
        connection.request("PUT", f"/{self.bucket}/key", iter([b"chunk"]), encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 411)
        connection.close()
        self.ingest(self.small(), dataset="k")
        self.assert_spool_is_empty()
        self.assert_segments_are_the_table(self.objects())


class RgwWithTokens(Rgw):
    def __init__(self):
        super().__init__(has_tokens=True)

    def start(self):
        super().start()
        self.role = self.make_role()
        return self


class SessionTokens(RgwStore, test_s3.S3Case):
    """Keys for a while, as STS hands them out: the token belongs to what is signed."""

    server_type = RgwWithTokens

    def setUp(self):
        super().setUp()
        query = {"Action": "AssumeRole", "RoleArn": self.shared_server.role, "RoleSessionName": "tester"}
        answer = parse(self.s3.expect("POST", "/", query)[1])
        names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY", "SessionToken": "AWS_SESSION_TOKEN"}
        os.environ.update({variable: next(answer.iter(name)).text for name, variable in names.items()})

    def test_rows_and_files_are_stored_with_them(self):
        self.ingest(self.small(), dataset="k")
        self.assert_spool_is_empty()
        self.assert_segments_are_the_table(self.objects())
        self.rowsieve("verify", "--store", "k")

    def test_keys_without_their_token_are_refused(self):
        del os.environ["AWS_SESSION_TOKEN"]
        self.assertFalse(self.store_check(status=EXIT_CONFIG)["ok"])

    def test_a_token_that_is_none_is_refused(self):
        os.environ["AWS_SESSION_TOKEN"] = os.environ["AWS_SESSION_TOKEN"][:-8] + "AAAAAAA="
        self.assertFalse(self.store_check(status=EXIT_CONFIG)["ok"])
