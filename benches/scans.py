#!/usr/bin/env python3
"""flowcinch on scans of millions of addresses: memory stays bounded.

Usage: benches/scans.py [--records N] [--files N] [--threads 1,2] [--most MIB] [--binary PATH]

Makes gzipped logs of the default format under target/, once, 3.4 GB unless asked
for fewer: random public addresses ask the interfaces of a snapshot of `flowcinch
sample`, mostly on ten common ports, one hour a file. A few are let through and
answered, which makes two records of one. All comes from a seed.

`analyze` reads them with each number of threads. Each run must print the same
bytes, count what was written, explain every REJECT and stay below `--most`.
Then come the same talkers in ten times as many records and hours: they may
take 5 % more memory. Exits 1 where any of this does not hold.
"""

import argparse
import collections
import datetime
import functools
import gzip
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile

import peers

SEED = 1
BEGIN = 1_772_323_200
HOUR = 3600
GROWTH = 1.05
HEADER = (b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
          b"log-status\n")

# First bytes with ranges that are nobody's on the internet; those of `sample`'s own public addresses too.
NOT_PUBLIC = {10, 100, 127, 169, 172, 192, 198, 203}
COMMON = ["22", "23", "80", "443", "445", "3389", "8080", "5900", "6379", "8443"]
# One draw from it is a common port five times of eight.
PORTS = [*COMMON * (65536 * 5 // 3 // len(COMMON)), *map(str, range(65536))]
SOURCES = [str(port) for port in range(1024, 65536)]

Plan = collections.namedtuple("Plan", "records files accepted addresses conversations")
Run = collections.namedtuple("Run", "seconds peak said")
Said = collections.namedtuple("Said", "document records accepted rejected explained")


@functools.lru_cache(1)
def addresses(count):
    """Both halves of each address, as text: so that few texts stand for many addresses."""
    draw = random.Random(SEED).choices
    upper = [f"{a}.{b}." for a in range(1, 224) if a not in NOT_PUBLIC for b in range(256)]
    lower = [f"{c}.{d}" for c in range(256) for d in range(256)]
    return draw(upper, k=count), draw(lower, k=count)


class Strangers:
    """Lines of scans, each up to its times: a second's lines then end alike, and one join makes them."""

    def __init__(self, interfaces, count, seed):
        self.interfaces = interfaces
        self.upper, self.lower = addresses(count)
        self.draw = random.Random(seed).choices

    def asking(self, count, ports):
        at = self.draw(range(len(self.upper)), k=count)
        return zip(self.draw(self.interfaces, k=count), at, self.draw(SOURCES, k=count), self.draw(ports, k=count))

    def rejected(self, count):
        upper, lower = self.upper, self.lower
        return [f"{named} {upper[at]}{lower[at]} {own} {source} {port} 6 1 40"
                for (named, own), at, source, port in self.asking(count, PORTS)]

    def accepted(self, count):
        fronts = []
        for (named, own), at, source, port in self.asking(count, ["443"]):
            peer = self.upper[at] + self.lower[at]
            fronts.append(f"{named} {peer} {own} {source} {port} 6 1 40")
            fronts.append(f"{named} {own} {peer} {port} {source} 6 1 40")
        return fronts


class Talkers:
    """The same conversations in turn, every hour from the first: more hours bring no others."""

    def __init__(self, interfaces, plan):
        strangers = Strangers(interfaces, plan.addresses, SEED)
        answered = plan.conversations * plan.accepted // 100
        self.asked = itertools.cycle(strangers.rejected(plan.conversations - answered))
        self.answered = itertools.cycle(strangers.accepted(answered))

    def rejected(self, count):
        return list(itertools.islice(self.asked, count))

    def accepted(self, count):
        return list(itertools.islice(self.answered, 2 * count))


def part(total, parts, at):
    return total * (at + 1) // parts - total * at // parts


def ended(fronts, second, action):
    tail = f" {second} {second + 20} {action} OK\n"
    return tail.join(fronts) + tail if fronts else ""


def write(job):
    """Writes one hour; how many records of it are rejected and accepted, and the bytes of text."""
    path, number, plan, interfaces = job
    if plan.conversations:
        crowd = Talkers(interfaces, plan)
    else:
        crowd = Strangers(interfaces, plan.addresses, f"{SEED} {number}")
    records = part(plan.records, plan.files, number)
    answered = records * plan.accepted // 100
    rejects = accepts = 0
    with gzip.GzipFile(path, "wb", 1, mtime=0) as file:
        text = file.write(HEADER)
        for second in range(HOUR):
            at = BEGIN + number * HOUR + second
            rejected = crowd.rejected(part(records - answered, HOUR, second))
            accepted = crowd.accepted(part(answered, HOUR, second))
            text += file.write((ended(rejected, at, "REJECT") + ended(accepted, at, "ACCEPT")).encode())
            rejects += len(rejected)
            accepts += len(accepted)
    return rejects, accepts, text


def snapshot(binary, folder):
    """Makes a snapshot; how lines of each of its interfaces begin, and the interface's address."""
    subprocess.run(
        [binary, "sample", "--out", folder, "--records", "1000", "--format-version", "2", "--interfaces", "400",
         "--seed", "1"], check=True)
    with open(os.path.join(folder, "snapshot", "network-interfaces.json")) as file:
        listed = json.load(file)["NetworkInterfaces"]
    return [(f"2 {one['OwnerId']} {one['NetworkInterfaceId']}", one["PrivateIpAddress"]) for one in listed]


def corpus(binary, name, plan):
    """The folder of what the plan asks for, and what was written there."""
    folder = os.path.join(peers.ROOT, "target", f"{name}-{plan.records}")
    made = os.path.join(folder, "made.json")
    if os.path.exists(made):
        with open(made) as file:
            written = json.load(file)
        if written["plan"] == plan._asdict():
            return folder, written
    shutil.rmtree(folder, ignore_errors=True)
    interfaces = snapshot(binary, os.path.join(folder, "sample"))
    logs = os.path.join(folder, "logs")
    os.makedirs(logs)
    jobs = [(os.path.join(logs, f"{number:04}.log.gz"), number, plan, interfaces) for number in range(plan.files)]
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        rejected, accepted, text = map(sum, zip(*pool.imap_unordered(write, jobs)))
    stored = sum(os.path.getsize(path) for path, *_ in jobs)
    written = {"plan": plan._asdict(), "rejected": rejected, "accepted": accepted, "text": text, "stored": stored}
    with open(made, "w") as file:
        json.dump(written, file)
    return folder, written


def read(path):
    with open(path, "rb") as file:
        printed = file.read()
    analysis = json.loads(printed)
    counted = analysis["ingest"]
    explained = sum(reject["records"] for reject in analysis["rejects"])
    return Said(hashlib.sha256(printed).hexdigest(), counted["records"], counted["accepted"], counted["rejected"],
                explained)


def analyze(binary, folder, threads, more):
    command = [binary, "analyze", os.path.join(folder, "logs"),
               "--snapshot", os.path.join(folder, "sample", "snapshot"),
               "--format", "json", "--quiet", "--threads", str(threads), *more]
    with tempfile.NamedTemporaryFile() as out:
        seconds, usage = peers.measured(command, out)
        # A child's peak begins at its parent's size. So another process holds the document.
        with multiprocessing.Pool(1) as pool:
            return Run(seconds, usage.ru_maxrss / 1024, pool.apply(read, (out.name,)))


def measure(asked, name, made, more=()):
    """A run with each number of threads, and what is wrong with what they said."""
    folder, written = made
    runs = {}
    for threads in asked.threads:
        runs[threads] = analyze(asked.binary, folder, threads, more)
        print(f"{name}, threads {threads}: {runs[threads].seconds:.2f} s, {runs[threads].peak:.0f} MiB",
              file=sys.stderr, flush=True)
    rejected, accepted = written["rejected"], written["accepted"]
    right = (rejected + accepted, accepted, rejected, rejected)
    wrong = [f"{name}, threads {threads}: records, accepted, rejected and explained are {run.said[1:]}, not {right}"
             for threads, run in runs.items() if run.said[1:] != right]
    if len({run.said.document for run in runs.values()}) != 1:
        wrong.append(f"{name}: the documents differ")
    return runs, wrong


def table(asked, cases):
    print(f"`benches/scans.py --records {asked.records} --files {asked.files} --addresses {asked.addresses} "
          f"--accepted {asked.accepted} --talkers-records {asked.talkers_records}"
          f"{' --memory ' + asked.memory if asked.memory else ''}`, "
          f"{datetime.date.today()}, {peers.machine()}, {len(os.sched_getaffinity(0))} cores; "
          f"load {os.getloadavg()[0]:.1f}")
    for name, written, _ in cases:
        print(f"{name}: {written['plan']['files']} files, {written['stored'] / 1e6:.0f} MB gzipped")
    print("\n| case | records | text | threads | elapsed | peak memory |\n|---|--:|--:|--:|--:|--:|")
    for name, written, runs in cases:
        records = written["rejected"] + written["accepted"]
        for threads, run in runs.items():
            print(f"| {name} | {records:,} | {written['text'] / 1e9:.2f} GB | {threads} | {run.seconds:.2f} s | "
                  f"{run.peak:.0f} MiB |")


def numbers(text):
    return [int(number) for number in text.split(",")]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=90_000_000, help="records of scans, without the answers")
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--addresses", type=int, default=5_000_000)
    parser.add_argument("--accepted", type=int, default=3, help="per cent of the records")
    parser.add_argument("--talkers-records", type=int, default=2_700_000, help="and ten times as many")
    parser.add_argument("--conversations", type=int, default=20_000, help="of the same talkers")
    parser.add_argument("--threads", type=numbers, default=[1, 2, 4])
    parser.add_argument("--memory", help="flowcinch's own option, for the scans")
    parser.add_argument("--most", type=float, default=512, help="MiB that the scans may take at their peak")
    parser.add_argument("--binary", default=os.path.join(peers.ROOT, "target", "release", "flowcinch"))
    return parser.parse_args()


def main():
    asked = options()
    scans = Plan(asked.records, asked.files, asked.accepted, asked.addresses, 0)
    few = Plan(asked.talkers_records, asked.files, asked.accepted, asked.conversations, asked.conversations)
    many = few._replace(records=10 * few.records, files=10 * few.files)
    cases, wrong = [], []
    for name, kind, plan in (("scans", "scans", scans), ("same talkers", "talkers", few),
                             ("same talkers, ten times", "talkers", many)):
        made = corpus(asked.binary, kind, plan)
        more = ["--memory", asked.memory] if asked.memory and plan is scans else []
        runs, found = measure(asked, name, made, more)
        cases.append((name, made[1], runs))
        wrong += found
    table(asked, cases)
    for threads in asked.threads:
        scanned, once, tenfold = (runs[threads].peak for *_, runs in cases)
        if scanned >= asked.most:
            wrong.append(f"scans, threads {threads}: {scanned:.0f} MiB at the peak, not below {asked.most:g}")
        if tenfold > GROWTH * once:
            wrong.append(f"same talkers, threads {threads}: ten times the records take {tenfold / once:.3f} times the "
                         f"memory, more than {GROWTH}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
