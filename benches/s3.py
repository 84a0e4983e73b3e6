#!/usr/bin/env python3
"""Throughput from S3 on loopback beside that from files: the same made-up logs,
the same binary, the same bytes out.

    cargo build --release
    benches/s3.py --records 9600000 --rounds 3

The server is this script's own: it lists in pages of 1,000 and sends files as
they lie on disk, so that what is measured is the client. With `--objects N` the
logs are N tiny objects instead. Exits 1 where the bytes differ.
"""

import argparse
import bisect
import hashlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUCKET = "bench"


class Bucket(ThreadingHTTPServer):
    """Serves the files below a folder."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        paths = (path for path in folder.rglob("*") if path.is_file())
        self.files = {str(path.relative_to(folder)): path for path in paths}
        self.keys = sorted(self.files)
        self.etags = {
            key: hashlib.md5(path.read_bytes()).hexdigest() for key, path in self.files.items()
        }
        self.requests = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests += 1
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        if "list-type" in query:
            self.list(query)
        else:
            self.send(unquote(url.path).removeprefix(f"/{BUCKET}/"))

    def send(self, key):
        path = self.server.files[key]
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("etag", f'"{self.server.etags[key]}"')
            self.send_header("content-length", str(size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(file)

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after, most = query.get("continuation-token", ""), int(query.get("max-keys", 1000))
        rows, folders, last, more = [], set(), "", False
        keys = self.server.keys
        for key in keys[bisect.bisect_right(keys, after) :]:
            if not key.startswith(prefix):
                continue
            folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            folder = prefix + folder + delimiter
            if found and (folder in folders or after.startswith(folder)):
                last = key
                continue
            if len(rows) + len(folders) == most:
                more = True
                break
            last = key
            if found:
                folders.add(folder)
            else:
                size = self.server.files[key].stat().st_size
                rows.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
                    f"<ETag>&quot;{self.server.etags[key]}&quot;</ETag></Contents>"
                )
        rows += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders]
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<KeyCount>{len(rows)}</KeyCount>{token}{''.join(rows)}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def run(binary, logs, snapshot, flags):
    """Seconds, core seconds, peak memory in MB and the document's digest of one run."""
    environment = dict(
        os.environ, AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench",
        AWS_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true", NO_PROXY="127.0.0.1",
    )
    command = [binary, "analyze", logs, "--snapshot", snapshot, "--format", "json", "--quiet", *flags]
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - began
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, 1, 3):
            sys.exit(f"{command}: exit code {code}")
        out.seek(0)
        document = hashlib.sha256(out.read()).hexdigest()
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, document


def tiny(folder, count):
    """Objects of one record each."""
    header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
    for number in range(count):
        path = folder / f"{number % 100:02}" / f"{number:06}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = 1_772_323_200 + number % 86_400
        path.write_text(
            f"{header}2 123456789012 eni-0a1b 10.0.{number % 250}.{number % 199} 10.0.0.5 "
            f"{1024 + number % 60000} 443 6 5 500 {start} {start + 58} ACCEPT OK\n"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=2_400_000)
    parser.add_argument("--objects", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=str(ROOT / "target/release/flowcinch"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        records = 1000 if arguments.objects else arguments.records
        sample = [arguments.binary, "sample", "--out", folder, "--records", str(records), "--days", "3"]
        subprocess.run(sample, check=True, stderr=subprocess.DEVNULL)
        logs = made / "logs"
        if arguments.objects:
            logs = made / "tiny"
            tiny(logs, arguments.objects)
        server = Bucket(logs)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        size = sum(path.stat().st_size for path in server.files.values())
        print(f"{len(server.keys)} objects, {size / 1e6:.0f} MB")
        flags = ["--endpoint-url", f"http://127.0.0.1:{server.server_address[1]}"]
        snapshot = str(made / "snapshot")
        ways = {"files": (str(logs), []), "s3": (f"s3://{BUCKET}/", flags)}
        seen = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, (place, more) in ways.items():
                seen[name].append(run(arguments.binary, place, snapshot, more))
        middle = {}
        for name, runs in seen.items():
            middle[name] = statistics.median(seconds for seconds, *_ in runs)
            cores = statistics.median(core for _, core, *_ in runs)
            peak = max(memory for _, _, memory, _ in runs)
            print(f"{name:6} {middle[name]:7.2f} s  {cores:7.2f} core s  {peak:6.0f} MB peak")
        print(f"throughput from S3 is {middle['files'] / middle['s3']:.2f} of that from files")
        print(f"{server.requests} requests in {arguments.rounds} rounds")
        if len({document for runs in seen.values() for *_, document in runs}) != 1:
            sys.exit("the documents differ")


if __name__ == "__main__":
    main()
