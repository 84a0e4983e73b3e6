#!/usr/bin/env python3
"""flowcinch beside DuckDB on Alibaba Cloud's logs: JSON lines and CSV, gzipped.

Usage: benches/alibaba.py [--records N] [--rounds R] [--threads T] [--binary PATH]

Makes the same records in both forms with `flowcinch sample` under target/peers/
and runs everything R times in turn. DuckDB groups by interface, addresses, lower
port, protocol and action. `ingest` (logs to evidence) is flowcinch's nearest like
of that, and it writes the digest; `analyze` writes none and goes on to the
finished JSON. DuckDB is told every column and
its type, and reads from JSON only the members it needs. Each form is counted
by everybody before anything is timed, and again in every round.
"""

import argparse
import datetime
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import peers

FORMS = ("json", "csv")
NUMBERS = ("srcport", "dstport", "protocol", "packets", "bytes", "start", "end")
COLUMNS = ("version account-id eni-id vm-id vswitch-id vpc-id region type protocol srcaddr srcport dstaddr dstport "
           "direction action packets bytes start end tcp-flags log-status traffic_path").split()
NEEDED = (*NUMBERS, "eni-id", "srcaddr", "dstaddr", "action", "log-status")

GROUP = """
SELECT "eni-id", srcaddr, dstaddr, least(srcport, dstport) AS lower, protocol, action,
       count(*) AS records, sum(packets), sum(bytes), min("start"), max("end")
FROM {source} WHERE action IN ('ACCEPT', 'REJECT') GROUP BY ALL
"""

DUCKDB = """
import duckdb, sys
duckdb.sql('SET threads = ' + sys.argv[1])
duckdb.sql('SET enable_progress_bar = false')
print(*duckdb.sql('SELECT sum(records), count(*) FROM (' + sys.argv[2] + ')').fetchall()[0])
"""


def typed(names, number):
    return "{" + ", ".join(f"'{n}': '{number if n in NUMBERS else 'VARCHAR'}'" for n in names) + "}"


def source(form, pattern):
    """Where DuckDB reads from; a number in JSON is text there, and may be `-`."""
    if form == "csv":
        form = "delim=',', header=true, auto_detect=false, nullstr='-'"
        return f"read_csv('{pattern}', {form}, columns={typed(COLUMNS, 'UBIGINT')})"
    cast = ", ".join(f'TRY_CAST("{n}" AS UBIGINT) AS "{n}"' for n in NUMBERS)
    read = f"read_json('{pattern}', format='newline_delimited', columns={typed(NEEDED, 'VARCHAR')})"
    return f"""(SELECT * REPLACE ({cast}) FROM {read} WHERE action IN ('ACCEPT', 'REJECT'))"""


def corpus(binary, records, form):
    out = os.path.join(peers.HOME, f"alibaba-{form}-{records}")
    if not os.path.exists(os.path.join(out, "truth.json")):
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run(
            [binary, "sample", "--out", out, "--records", str(records), "--provider", "alibaba", "--form", form,
             "--interfaces", "400", "--seed", "1", "--scan-share", "0.2"], check=True)
    return out


def duckdb(python, form, folder, threads):
    pattern = os.path.join(folder, "logs", "**", "*.gz")
    return [python, "-c", DUCKDB, str(threads), GROUP.format(source=source(form, pattern))]


def once(command, counted, digest=None):
    """Seconds, core seconds and the records that were counted."""
    if digest:
        shutil.rmtree(digest, ignore_errors=True)
    seconds, cpu, done = peers.run(command)
    if done.returncode not in (0, 3):
        sys.exit(f"{command[:3]} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds, cpu, counted(done.stdout.decode())


def contestants(binary, python, versions, form, folder, threads):
    logs, digest = os.path.join(folder, "logs"), os.path.join(peers.HOME, f"digest-{form}")
    own = ["--threads", str(threads)]
    analyze = [binary, "analyze", logs, "--snapshot", os.path.join(folder, "snapshot"),
               "--format", "json", "--exit-zero", "--quiet", *own]
    return {
        "flowcinch `analyze`": (analyze, analyzed),
        "flowcinch `ingest`": ([binary, "ingest", logs, "--digest", digest, *own], ingested, digest),
        f"DuckDB {versions['duckdb']}, group by": (duckdb(python, form, folder, threads), grouped),
    }


def analyzed(said):
    return json.loads(said)["ingest"]["records"]


def ingested(said):
    return int(re.match(r"([\d,]+) records", said)[1].replace(",", ""))


def grouped(said):
    return int(said.split()[0])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=3_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--binary", default=os.path.join(peers.ROOT, "target", "release", "flowcinch"))
    asked = arguments.parse_args()
    os.makedirs(peers.HOME, exist_ok=True)
    python, versions = peers.environment(["duckdb"])
    runs, sizes, counts = {}, {}, {}
    for form in FORMS:
        folder = corpus(asked.binary, asked.records, form)
        files = glob.glob(os.path.join(folder, "logs", "**", "*.gz"), recursive=True)
        sizes[form] = len(files), sum(map(os.path.getsize, files)), peers.unpacked(files)
        found = contestants(asked.binary, python, versions, form, folder, asked.threads)
        runs |= {(form, name): run for name, run in found.items()}
    for key, run in runs.items():
        counts[key] = once(*run)[2]
    if len(set(counts.values())) != 1:
        sys.exit(f"the counts differ: {counts}")
    taken = {key: [] for key in runs}
    for _ in range(asked.rounds):
        for key, run in runs.items():
            seconds, cpu, count = once(*run)
            if count != counts[key]:
                sys.exit(f"{key} counted {count}, and {counts[key]} before")
            taken[key].append((seconds, cpu))
            print(*key, f"{seconds:.2f} s, {cpu:.2f} core seconds", file=sys.stderr, flush=True)
    table(asked, sizes, taken, next(iter(counts.values())))


def table(asked, sizes, taken, count):
    print(f"`benches/alibaba.py --records {asked.records} --rounds {asked.rounds}`, {datetime.date.today()}, "
          f"{peers.machine()}, {asked.threads} threads; load {os.getloadavg()[0]:.1f}; {count:,} flows")
    for form, (files, stored, text) in sizes.items():
        print(f"{form}: {files} files, {stored / 1e6:.0f} MB gzipped, {text / 1e9:.2f} GB of text")
    print("\n| form | what | seconds | core seconds | core seconds, times DuckDB's |\n|---|---|--:|--:|--:|")
    middle = {key: [statistics.median(of) for of in zip(*times)] for key, times in taken.items()}
    for (form, name), (seconds, cpu) in middle.items():
        theirs = next(middle[key][1] for key in middle if key[0] == form and key[1].startswith("DuckDB"))
        print(f"| {form} | {name} | {seconds:.2f} | {cpu:.2f} | {cpu / theirs:.2f} |")


if __name__ == "__main__":
    main()
