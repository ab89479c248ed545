# SPDX-License-Identifier: Apache-2.0
"""Other jobs write into the drop directory in their own ways, and each of their files is taken whole and once."""

import http.server
import os
import shutil
import subprocess
import tempfile
import threading

from rowsieve_test import DEADLINE, Case, LedgerChecks, SqliteSink, csv_text, need_tool, wait_until

ROWS = 20_000
CONTENT = csv_text(("n", "text"), ((number, f"text {number}") for number in range(ROWS))).encode()


class SlowServer:
    """Serves CONTENT under every name, the second half only when `gate` is set."""

    def __init__(self):
        self.gate = threading.Event()
        self.half_sent = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[: len(CONTENT) // 2])
                outer.half_sent.set()
                outer.gate.wait(DEADLINE)
                self.wfile.write(CONTENT[len(CONTENT) // 2 :])

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


class Alongside(LedgerChecks, SqliteSink, Case):
    def setUp(self):
        super().setUp()
        self.environment = {**os.environ, "no_proxy": "127.0.0.1"}
        self.daemon()

    def run_tool(self, *command):
        need_tool(command[0], shutil.which(command[0]))
        subprocess.run(command, check=True, env=self.environment, capture_output=True, timeout=DEADLINE)

    def assert_taken_once(self, table, name, content=CONTENT, rows=ROWS):
        self.running.wait_until(lambda: (self.done / name).exists(), f"{name} was taken")
        self.assertEqual((self.done / name).read_bytes(), content)
        self.assert_ledger_matches(table, rows)
        taken = [report for report in self.history() if os.path.basename(report["file"]) == name]
        self.assertEqual([(report["status"], report["rows"]) for report in taken], [("done", rows)])

    def assert_waits_for_the_writer(self, name, *command):
        """Half of the file is there, and a later file is taken while that stays where it is."""
        need_tool(command[0], shutil.which(command[0]))
        server = SlowServer()
        self.addCleanup(server.close)
        process = subprocess.Popen([*command, f"{server.url}/{name}"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        wait_until(server.half_sent.is_set, "half of it was sent")
        wait_until(lambda: any(path.stat().st_size > 0 for path in self.drop.iterdir()), "half of it arrived")
        later = self.deliver(f"later_{name}", "a\n1\n")
        self.running.wait_until(lambda: not later.exists(), "the later file was taken")
        self.assertFalse((self.done / name).exists())
        self.assertEqual(self.table_size(name.split(".")[0]), 0)
        server.gate.set()
        self.assertEqual(process.wait(DEADLINE), 0)

    def test_wget(self):
        self.assert_waits_for_the_writer("by_wget.csv", "wget", "--quiet", f"--directory-prefix={self.drop}")
        self.assert_taken_once("by_wget", "by_wget.csv")

    def test_wget_under_a_name_that_is_renamed(self):
        part = self.drop / "by_wget.csv.part"
        self.assert_waits_for_the_writer("by_wget.csv", "wget", "--quiet", f"--output-document={part}")
        self.assertTrue(part.exists())
        self.run_tool("mv", str(part), str(self.drop / "by_wget.csv"))
        self.assert_taken_once("by_wget", "by_wget.csv")

    def test_curl(self):
        self.assert_waits_for_the_writer("by_curl.csv", "curl", "--silent", "--output", str(self.drop / "by_curl.csv"))
        self.assert_taken_once("by_curl", "by_curl.csv")

    def test_rsync_with_its_temporary_names_and_without(self):
        source = self.write("source/by_rsync.csv", CONTENT)
        self.run_tool("rsync", "--times", str(source), f"{self.drop}/")
        self.assert_taken_once("by_rsync", "by_rsync.csv")
        source = source.rename(source.with_name("in_place.csv"))
        self.run_tool("rsync", "--inplace", str(source), f"{self.drop}/")
        self.assert_taken_once("in_place", "in_place.csv")

    def test_rsync_of_a_directory_that_still_holds_what_was_taken_adds_no_row(self):
        self.write("source/by_rsync.csv", CONTENT)
        for _ in range(2):
            self.run_tool("rsync", "--recursive", "--times", f"{self.directory}/source/", f"{self.drop}/")
            self.running.wait_until(lambda: not (self.drop / "by_rsync.csv").exists(), "it was taken")
        self.assert_ledger_matches("by_rsync", ROWS)

    def test_cp_with_its_old_time_too(self):
        source = self.write("by_cp.csv", CONTENT)
        os.utime(source, (1_000_000_000, 1_000_000_000))
        self.run_tool("cp", str(source), str(self.drop))
        self.assert_taken_once("by_cp", "by_cp.csv")
        self.run_tool("cp", "--preserve", str(source), str(self.drop / "preserved.csv"))
        self.assert_taken_once("preserved", "preserved.csv")

    def test_mv_within_a_file_system_and_from_another(self):
        self.run_tool("mv", str(self.write("by_mv.csv", CONTENT)), str(self.drop))
        self.assert_taken_once("by_mv", "by_mv.csv")
        shm = "/dev/shm"
        if not os.access(shm, os.W_OK) or os.stat(shm).st_dev == os.stat(self.drop).st_dev:
            self.skipTest(f"{shm} is no other file system")
        with tempfile.TemporaryDirectory(dir=shm) as other:
            with open(f"{other}/from_afar.csv", "wb") as file:
                file.write(CONTENT)
            self.run_tool("mv", f"{other}/from_afar.csv", str(self.drop))
        self.assert_taken_once("from_afar", "from_afar.csv")

    def test_shell_that_appends_line_by_line(self):
        script = 'exec 3>>"$1"; echo a >&3; for n in 1 2 3 4 5; do echo $n >&3; done'
        self.run_tool("sh", "-c", script, "sh", str(self.drop / "by_shell.csv"))
        self.assert_taken_once("by_shell", "by_shell.csv", content=b"a\n1\n2\n3\n4\n5\n", rows=5)
