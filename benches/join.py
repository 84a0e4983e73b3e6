#!/usr/bin/env python3
"""flowcinch on a large cloud: many groups of many rules, many interfaces, many cells.

Usage: benches/join.py [--groups N] [--interfaces N] [--conversations N] [--threads N] [--binary PATH]

Makes, once, under target/: a snapshot of groups with 100 rules each (80 in, one
port each, half of them for a prefix and half for a group; 20 out, four ports
each), interfaces that carry one group each, and gzipped logs of the default
format: conversations of the interfaces with each other on 20 of the 80 ports,
four cells each (request and answer, at either end). All comes from a seed.

`analyze` reads them twice: beside a snapshot in which each group has but the
rules that are used, and beside all rules. Exits 1 unless every record is counted,
of the rules in those in use, and no others, are told to be, and nothing breaks.
"""

import argparse
import collections
import datetime
import gzip
import json
import os
import random
import shutil
import sys
import tempfile

import peers

BEGIN = 1_772_323_200
DAYS = 4
FIRST = 8000
IN, OUT = 80, 20
PREFIX, GROUP = range(10), range(40, 50)
USED = [*PREFIX, *GROUP]
HEADER = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
          "log-status\n")

Plan = collections.namedtuple("Plan", "groups interfaces conversations files")


def group_id(number):
    return f"sg-{number:017x}"


def interface_id(number):
    return f"eni-{number:017x}"


def address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def asked_for(plan, group, port):
    """The group whose members ask for a port of a group."""
    return (group * 13 + port + 1) % plan.groups


def ingress(plan, group, ports):
    for port in ports:
        permission = {"IpProtocol": "tcp", "FromPort": FIRST + port, "ToPort": FIRST + port}
        if port < IN // 2:
            permission["IpRanges"] = [{"CidrIp": "10.0.0.0/8"}]
        else:
            permission["UserIdGroupPairs"] = [{"GroupId": group_id(asked_for(plan, group, port)), "UserId": "1"}]
        yield permission


def egress(rules):
    for rule in rules:
        first = FIRST + rule * IN // OUT
        yield {"IpProtocol": "tcp", "FromPort": first, "ToPort": first + IN // OUT - 1,
               "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


def write_snapshot(folder, plan, ports, rules):
    os.makedirs(folder)
    with open(os.path.join(folder, "security-groups.json"), "w") as file:
        json.dump({"SecurityGroups": [
            {"GroupId": group_id(group), "GroupName": f"g{group}", "VpcId": "vpc-1", "OwnerId": "1",
             "IpPermissions": list(ingress(plan, group, ports)), "IpPermissionsEgress": list(egress(rules))}
            for group in range(plan.groups)]}, file)
    with open(os.path.join(folder, "network-interfaces.json"), "w") as file:
        json.dump({"NetworkInterfaces": [
            {"NetworkInterfaceId": interface_id(number), "InterfaceType": "interface", "VpcId": "vpc-1",
             "SubnetId": "subnet-1", "Status": "in-use", "PrivateIpAddress": address(number),
             "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": address(number)}],
             "Groups": [{"GroupId": group_id(number % plan.groups)}]}
            for number in range(plan.interfaces)]}, file)


def conversations(plan, draw):
    """Server, client and port of each; every server serves every port that is used, in turn."""
    members = plan.interfaces // plan.groups
    for number in range(plan.conversations):
        server = number % plan.interfaces
        port = USED[number // plan.interfaces % len(USED)]
        group = asked_for(plan, server % plan.groups, port)
        client = group + plan.groups * draw.randrange(members)
        yield server, client if client != server else (client + plan.groups) % plan.interfaces, FIRST + port


def write_logs(folder, plan):
    os.makedirs(folder)
    draw = random.Random(1)
    files = [gzip.open(os.path.join(folder, f"{number:04}.log.gz"), "wt", 1) for number in range(plan.files)]
    for file in files:
        file.write(HEADER)
    for number, (server, client, port) in enumerate(conversations(plan, draw)):
        at = BEGIN + number * 86_400 * DAYS // plan.conversations
        mine, other, source = address(server), address(client), draw.randrange(32_768, 61_000)
        tail = f"6 9 900 {at} {at + 50} ACCEPT OK\n"
        lines = []
        for end in (server, client):
            lines.append(f"2 1 {interface_id(end)} {other} {mine} {source} {port} {tail}")
            lines.append(f"2 1 {interface_id(end)} {mine} {other} {port} {source} {tail}")
        files[number * plan.files // plan.conversations].writelines(lines)
    for file in files:
        file.close()


def corpus(plan):
    folder = os.path.join(peers.ROOT, "target", f"join-{plan.groups}-{plan.interfaces}-{plan.conversations}")
    done = os.path.join(folder, "done")
    if not os.path.exists(done):
        shutil.rmtree(folder, ignore_errors=True)
        write_snapshot(os.path.join(folder, "all"), plan, range(IN), range(OUT))
        used = sorted({port * OUT // IN for port in USED})
        write_snapshot(os.path.join(folder, "used"), plan, USED, used)
        write_logs(os.path.join(folder, "logs"), plan)
        open(done, "w").close()
    return folder


def run(command, told):
    with tempfile.NamedTemporaryFile() as out:
        seconds, usage = peers.measured(command, out)
        size = os.path.getsize(out.name)
        with open(out.name, "rb") as file:
            found = told(file)
    return (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size), found


def wrong(plan, lines):
    """What is wrong with an analysis, read line by line, since it may be gigabytes: of each group the used ports,
    and no others, are in use."""
    section, rule = None, {}
    groups, told = collections.Counter(), {}
    for line in lines:
        if line.startswith(b'  "'):
            section = line.split(b'"')[1]
        key, _, value = line.strip().rstrip(b",").partition(b": ")
        if section == b"security_groups" and line.startswith(b"          "):
            rule[key] = value
            if (key, value) == (b'"status"', b'"used"') and rule[b'"direction"'] == b'"ingress"':
                groups[int(rule[b'"from_port"'])] += 1
        elif section in (b"ingest", b"verification") and line.startswith(b'    "'):
            told[key] = value
    served = plan.conversations // plan.interfaces
    ports = {FIRST + port: plan.groups for port in USED[:served]}
    if groups != ports:
        yield f"of so many groups a port is in use: {dict(groups)}, not {ports}"
    asked = {b'"records"': 4 * plan.conversations, b'"broken"': 0, b'"widened"': 0}
    yield from (f"{key.decode()} is {told.get(key)}, not {value}" for key, value in asked.items()
                if told.get(key) != str(value).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--interfaces", type=int, default=50_000)
    parser.add_argument("--conversations", type=int, default=2_500_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--binary", default=os.path.join(peers.ROOT, "target", "release", "flowcinch"))
    asked = parser.parse_args()
    if asked.interfaces < 2 * asked.groups or asked.interfaces % asked.groups:
        parser.error("--interfaces is to be a multiple of --groups")
    if asked.conversations % asked.interfaces:
        parser.error("--conversations is to be a multiple of --interfaces")
    plan = Plan(asked.groups, asked.interfaces, asked.conversations, 24)
    folder = corpus(plan)
    logs = os.path.join(folder, "logs")
    common = ["--format", "json", "--quiet", "--exit-zero", "--threads", str(asked.threads)]
    faults, rows = [], []
    for name in ("used", "all"):
        command = [asked.binary, "analyze", logs, "--snapshot", os.path.join(folder, name), *common]
        taken, found = run(command, lambda file: list(wrong(plan, file)))
        rules = plan.groups * (IN + OUT if name == "all" else len(USED) + len({p * OUT // IN for p in USED}))
        rows.append((rules, *taken))
        faults += [f"{name}: {fault}" for fault in found]
    print(f"`benches/join.py --groups {plan.groups} --interfaces {plan.interfaces} --conversations "
          f"{plan.conversations} --threads {asked.threads}`, {datetime.date.today()}, {peers.machine()}, "
          f"{len(os.sched_getaffinity(0))} cores\n")
    print("| rules | elapsed | core seconds | peak memory | document |\n|--:|--:|--:|--:|--:|")
    for rules, seconds, cpu, peak, size in rows:
        print(f"| {rules:,} | {seconds:.2f} s | {cpu:.2f} | {peak:.0f} MiB | {size / 1e6:.0f} MB |")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
