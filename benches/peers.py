#!/usr/bin/env python3
"""flowcinch beside its peers, in one run on the same files.

Usage: benches/peers.py [--records N] [--rounds R] [--binary PATH]

Makes a corpus with `flowcinch sample` under target/peers/, installs the peers
into an environment of its own there, runs everything R times in turn, and
prints a table for the README with medians. What is measured:

- inflating alone with ISA-L, every file by itself on all cores: the limit;
- flowcinch: gzip to the finished analysis as JSON;
- DuckDB, Polars and ClickHouse (chdb): grouping by interface, addresses, lower
  port, protocol and action, with sums and bounds of time. That is the first
  step of what flowcinch does, and no more than it;
- flowlogs-reader: reading lines into its records, of one file.
"""

import argparse
import datetime
import glob
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.join(ROOT, "target", "peers")
PACKAGES = ["duckdb", "polars", "chdb", "flowlogs-reader", "isal"]

KEY = "interface, srcaddr, dstaddr, lower, protocol, action"
SQL = """
SELECT "interface-id" AS interface, srcaddr, dstaddr, least(srcport, dstport) AS lower,
       protocol, action, count(*) AS records, sum(packets) AS p, sum(bytes) AS b,
       min("start") AS first, max("end") AS last
"""

DUCKDB = """
import duckdb, sys
types = {n: 'UINTEGER' for n in ('srcport', 'dstport', 'protocol')}
types |= {n: 'UBIGINT' for n in ('packets', 'bytes', 'start', 'end')}
types |= {n: 'VARCHAR' for n in ('version', 'account-id', 'interface-id', 'srcaddr', 'dstaddr', 'action', 'log-status')}
order = 'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status'.split()
columns = '{' + ', '.join(f"'{n}': '{types[n]}'" for n in order) + '}'
source = f"read_csv('{sys.argv[1]}', delim=' ', header=true, nullstr='-', columns={columns})"
query = '''%s FROM ''' + source + ''' WHERE action IS NOT NULL GROUP BY ALL'''
print(duckdb.sql('SELECT sum(records), count(*) FROM (' + query + ')').fetchall()[0])
""" % SQL

POLARS = """
import polars as pl, sys
numbers = ('srcport', 'dstport', 'protocol', 'packets', 'bytes', 'start', 'end')
texts = ('version', 'account-id', 'interface-id', 'srcaddr', 'dstaddr', 'action', 'log-status')
order = 'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status'.split()
schema = {n: pl.Int64 if n in numbers else pl.String for n in order}
frame = pl.scan_csv(sys.argv[1], separator=' ', null_values='-', schema=schema)
out = (frame.filter(pl.col('action').is_not_null())
    .group_by('interface-id', 'srcaddr', 'dstaddr', pl.min_horizontal('srcport', 'dstport').alias('lower'), 'protocol', 'action')
    .agg(pl.len().alias('records'), pl.sum('packets'), pl.sum('bytes'), pl.min('start'), pl.max('end'))
    .select(pl.sum('records'), pl.len().alias('cells')).collect(engine='streaming'))
print(out.row(0))
"""

CLICKHOUSE = """
import chdb, sys
structure = ('version String, `account-id` String, `interface-id` String, srcaddr Nullable(String), dstaddr Nullable(String), '
    'srcport Nullable(UInt16), dstport Nullable(UInt16), protocol Nullable(UInt8), packets Nullable(UInt64), bytes Nullable(UInt64), '
    'start UInt32, `end` UInt32, action Nullable(String), `log-status` String')
source = f"file('{sys.argv[1]}', 'CustomSeparatedWithNames', '{structure}')"
query = '''%s FROM ''' + source + ''' WHERE action IS NOT NULL GROUP BY interface, srcaddr, dstaddr, lower, protocol, action'''
settings = (" SETTINGS format_custom_field_delimiter=' ', format_custom_escaping_rule='CSV', "
    "format_csv_delimiter=' ', format_csv_null_representation='-'")
print(chdb.query('SELECT sum(records), count(*) FROM (' + query + ')' + settings, 'CSV'), end='')
""" % SQL

INFLATE = """
import concurrent.futures, glob, os, sys
from isal import igzip
def one(path):
    total = 0
    with igzip.open(path, 'rb') as file:
        while block := file.read(1 << 18):
            total += len(block)
    return total
with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    print(sum(pool.map(one, glob.glob(sys.argv[1], recursive=True), chunksize=4)))
"""

READER = """
import gzip, sys, time
from flowlogs_reader import FlowRecord
read, begun = 0, time.perf_counter()
with gzip.open(sys.argv[1], 'rt') as file:
    names = next(file).split()
    fields = [name.replace('-', '_') for name in names]
    for line in file:
        FlowRecord(dict(zip(fields, line.split())))
        read += 1
print(read / (time.perf_counter() - begun))
"""


def run(command, **options):
    begun = time.perf_counter()
    before = os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    after = os.times()
    taken = time.perf_counter() - begun
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return taken, cpu, done


def measured(command, out):
    """Seconds of a run of flowcinch, and what it used."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=out)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{command}: exit code {child.returncode}")
    return seconds, usage


def environment(packages=PACKAGES):
    python = os.path.join(HOME, "venv", "bin", "python")
    if not os.path.exists(python):
        venv.create(os.path.join(HOME, "venv"), with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    listed = subprocess.run([python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True)
    versions = {p["name"]: p["version"] for p in json.loads(listed.stdout)}
    return python, versions


def corpus(binary, records):
    out = os.path.join(HOME, f"corpus-{records}")
    if not os.path.isdir(os.path.join(out, "logs")):
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run(
            [binary, "sample", "--out", out, "--records", str(records), "--format-version", "2",
             "--interfaces", "400", "--seed", "1", "--scan-share", "0.2"], check=True)
    return out


def unpacked(files):
    """Bytes of text in gzipped files."""
    text = 0
    for path in files:
        with gzip.open(path) as file:
            while block := file.read(1 << 22):
                text += len(block)
    return text


def machine():
    named = (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return next(named, platform.machine())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=9_600_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "flowcinch"))
    asked = arguments.parse_args()
    os.makedirs(HOME, exist_ok=True)
    python, versions = environment()
    folder = corpus(asked.binary, asked.records)
    files = sorted(glob.glob(os.path.join(folder, "logs", "**", "*.gz"), recursive=True))
    text = unpacked(files)
    pattern = os.path.join(folder, "logs", "**", "*.gz")
    largest = max(files, key=os.path.getsize)
    flowcinch = [asked.binary, "analyze", os.path.join(folder, "logs"), "--snapshot",
                 os.path.join(folder, "snapshot"), "--format", "json", "--exit-zero", "--quiet"]
    sink = open(os.devnull, "w")
    runs = {
        "inflating alone (ISA-L)": [python, "-c", INFLATE, pattern],
        "flowcinch, to the finished JSON": flowcinch,
        f"DuckDB {versions['duckdb']}, group by": [python, "-c", DUCKDB, pattern],
        f"Polars {versions['polars']}, group by": [python, "-c", POLARS, pattern],
        f"ClickHouse (chdb {versions['chdb']}), group by": [python, "-c", CLICKHOUSE, pattern],
    }
    taken = {name: [] for name in runs}
    said = {}
    for _ in range(asked.rounds):
        for name, command in runs.items():
            if command is flowcinch:
                begun, before = time.perf_counter(), os.times()
                status = subprocess.run(command, stdout=sink).returncode
                after = os.times()
                cpu = after.children_user + after.children_system - before.children_user - before.children_system
                taken[name].append((time.perf_counter() - begun, cpu))
                if status not in (0, 3):
                    sys.exit(f"flowcinch ended with {status}")
                continue
            seconds, cpu, done = run(command)
            if done.returncode:
                said[name] = done.stderr.decode().strip().splitlines()[-1:]
                continue
            taken[name].append((seconds, cpu))
            said[name] = done.stdout.decode().strip()
    _, _, reader = run([python, "-c", READER, largest])
    stored = sum(os.path.getsize(path) for path in files)
    print(f"`benches/peers.py --records {asked.records} --rounds {asked.rounds}`, "
          f"{datetime.date.today()}, {machine()}, {len(os.sched_getaffinity(0))} cores; "
          f"{len(files)} files, {stored / 1e6:.0f} MB gzipped, {text / 1e9:.2f} GB of text; median of {asked.rounds}\n")
    print("| what | seconds | core seconds | GB of text a second | times flowcinch's time |\n|---|--:|--:|--:|--:|")
    own = statistics.median(seconds for seconds, _ in taken["flowcinch, to the finished JSON"])
    for name, times in taken.items():
        if not times:
            print(f"| {name} | failed: {said.get(name)} | | | |")
            continue
        seconds = statistics.median(seconds for seconds, _ in times)
        cpu = statistics.median(cpu for _, cpu in times)
        print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {text / seconds / 1e9:.2f} | {seconds / own:.2f} |")
    if reader.returncode == 0:
        rate = float(reader.stdout)
        print(f"| flowlogs-reader {versions['flowlogs-reader']}, one core, reading alone | "
              f"{asked.records / rate:.0f} (from {rate:,.0f} records a second) | | "
              f"{text / (asked.records / rate) / 1e9:.3f} | {asked.records / rate / own:.1f} |")
    else:
        print(f"| flowlogs-reader | failed: {reader.stderr.decode().strip().splitlines()[-1:]} | | | |")
    for name, answer in said.items():
        print(f"\n{name}: {answer}", file=sys.stderr)


if __name__ == "__main__":
    main()
