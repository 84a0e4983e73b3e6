#!/usr/bin/env python3
"""Writes the sample next to this file: a small made-up VPC, and 35 days of its
flow logs in two formats. Run it again and the text is the same (the gzip bytes
too, with the same zlib). Python 3, standard library only.

The cloud is a bookshop. Every line of the logs comes from one of the scenes
below; README.md says what an analysis should find, scene by scene.
"""

import binascii
import hashlib
import json
import shutil
import struct
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ACCOUNT = "123456789012"
REGION = "eu-west-1"
VPC = "vpc-0c0ffee0000000001"
FIRST_DAY = datetime(2026, 9, 28, tzinfo=timezone.utc)
DAYS = 35

# --- The cloud -------------------------------------------------------------

# name: (id, CIDR, availability zone, network ACL)
SUBNETS = {
    "public-a": ("subnet-0c0ffee0000000001", "10.20.0.0/24", "a", "open"),
    "public-b": ("subnet-0c0ffee0000000002", "10.20.10.0/24", "b", "public-b"),
    "app": ("subnet-0c0ffee0000000003", "10.20.1.0/24", "a", "open"),
    "data": ("subnet-0c0ffee0000000004", "10.20.2.0/24", "a", "data"),
    "ops": ("subnet-0c0ffee0000000005", "10.20.3.0/24", "a", "open"),
}

# name: id
GROUPS = {
    "web": "sg-0c0ffee0000000001",
    "app": "sg-0c0ffee0000000002",
    "db": "sg-0c0ffee0000000003",
    "bastion": "sg-0c0ffee0000000004",
    "batch": "sg-0c0ffee0000000005",
    "monitor": "sg-0c0ffee0000000006",
}
PURPOSE = {
    "web": "serves the shop to the Internet",
    "app": "application servers",
    "db": "the database",
    "bastion": "the way in for administrators",
    "batch": "nightly jobs",
    "monitor": "collects metrics",
}

# name: (id, address, group, subnet, public address or None)
INTERFACES = {
    "web-1": ("eni-0c0ffee0000000011", "10.20.0.11", "web", "public-a", "192.0.2.201"),
    "web-2": ("eni-0c0ffee0000000012", "10.20.10.11", "web", "public-b", "192.0.2.202"),
    "app-1": ("eni-0c0ffee0000000021", "10.20.1.11", "app", "app", None),
    "app-2": ("eni-0c0ffee0000000022", "10.20.1.12", "app", "app", None),
    "db-1": ("eni-0c0ffee0000000031", "10.20.2.11", "db", "data", None),
    "bastion-1": ("eni-0c0ffee0000000041", "10.20.0.21", "bastion", "public-a", "192.0.2.203"),
    "batch-1": ("eni-0c0ffee0000000051", "10.20.1.21", "batch", "app", None),
    "monitor-1": ("eni-0c0ffee0000000061", "10.20.3.11", "monitor", "ops", None),
}

OFFICE = "pl-0c0ffee0000000001"
S3 = "pl-6da54004"
PREFIX_LISTS = {
    OFFICE: ("office", ACCOUNT, [("198.51.100.240/29", "head office")]),
    S3: (f"com.amazonaws.{REGION}.s3", "AWS", [("192.0.2.0/26", "")]),
}

IN, OUT = False, True

# (rule id, group, egress, protocol, first port, last port, peer, description)
RULES = [
    ("0101", "web", IN, "tcp", 443, 443, "0.0.0.0/0", "the shop"),
    ("0102", "web", IN, "tcp", 9100, 9100, "monitor", "metrics"),
    ("0103", "web", IN, "tcp", 22, 22, "bastion", ""),
    ("0104", "web", OUT, "tcp", 8080, 8080, "app", ""),
    ("0201", "app", IN, "tcp", 8080, 8080, "web", ""),
    # Nobody comes any more: UNUSED.
    ("0202", "app", IN, "tcp", 8443, 8443, "web", "old TLS listener"),
    ("0203", "app", IN, "tcp", 9100, 9100, "monitor", "metrics"),
    ("0204", "app", IN, "tcp", 22, 22, "bastion", ""),
    ("0205", "app", OUT, "tcp", 5432, 5432, "db", ""),
    ("0206", "app", OUT, "tcp", 443, 443, S3, "cover pictures"),
    # Groups never filter Amazon DNS: WITHOUT EFFECT.
    ("0207", "app", OUT, "udp", 53, 53, "10.20.0.2/32", "name server"),
    ("0301", "db", IN, "tcp", 5432, 5432, "app", ""),
    # The rule above covers app-1 as well: REDUNDANT.
    ("0302", "db", IN, "tcp", 5432, 5432, "10.20.1.11/32", "app-1, for the migration"),
    ("0303", "db", IN, "tcp", 9187, 9187, "monitor", "metrics"),
    ("0401", "bastion", IN, "tcp", 22, 22, OFFICE, "administrators"),
    ("0402", "bastion", OUT, "tcp", 22, 22, "web", ""),
    ("0403", "bastion", OUT, "tcp", 22, 22, "app", ""),
    # All ports for the whole VPC, where one port for one peer would do: TOO WIDE.
    ("0501", "batch", IN, "tcp", 0, 65535, "10.20.0.0/16", "to be narrowed"),
    ("0502", "batch", OUT, "tcp", 443, 443, S3, "reports"),
    ("0503", "batch", OUT, "tcp", 5432, 5432, "db", ""),
    ("0601", "monitor", OUT, "tcp", 9100, 9100, "web", ""),
    ("0602", "monitor", OUT, "tcp", 9100, 9100, "app", ""),
    ("0603", "monitor", OUT, "tcp", 9100, 9100, "batch", ""),
    ("0604", "monitor", OUT, "tcp", 9187, 9187, "db", ""),
]

# name: (id, [(number, egress, protocol, action, CIDR, ports or None)])
ACLS = {
    "open": (
        "acl-0c0ffee0000000001",
        [
            (100, IN, "-1", "allow", "0.0.0.0/0", None),
            (100, OUT, "-1", "allow", "0.0.0.0/0", None),
        ],
    ),
    # Forgot the metrics port when the zone was added: ACL REJECT.
    "public-b": (
        "acl-0c0ffee0000000002",
        [
            (100, IN, "6", "allow", "0.0.0.0/0", (443, 443)),
            (110, IN, "6", "allow", "10.20.0.0/16", (22, 22)),
            (120, IN, "6", "allow", "0.0.0.0/0", (32768, 65535)),
            (100, OUT, "-1", "allow", "0.0.0.0/0", None),
        ],
    ),
    # Replies go back to the application subnet only: REPLY REJECT for others.
    "data": (
        "acl-0c0ffee0000000003",
        [
            (100, IN, "6", "allow", "10.20.0.0/16", None),
            (100, OUT, "6", "allow", "10.20.1.0/24", (1024, 65535)),
        ],
    ),
}

# --- The logs --------------------------------------------------------------

DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol "
    "packets bytes start end action log-status"
)
RICH = (
    DEFAULT + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr "
    "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
)
# folder: (flow log id, columns, version)
FORMATS = {
    "default-format": ("fl-0c0ffee0000000001", DEFAULT, 2),
    "rich-format": ("fl-0c0ffee0000000002", RICH, 5),
}

SYN, SYN_FIN, SYN_ACK, SYN_ACK_FIN = 2, 3, 18, 19
BY_ADDRESS = {interface[1]: name for name, interface in INTERFACES.items()}


class Chance:
    """A linear congruential generator, so that every Python draws the same."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % bound


class Log:
    """Rows of all interfaces, each a dict of columns."""

    def __init__(self):
        self.rows = []
        self.chance = Chance(20)

    def row(self, name, at, **columns):
        self.rows.append({"interface": name, "at": at, **columns})

    def half(self, name, at, packet, egress, action, flags, size):
        """One direction of a connection as one interface saw it."""
        packets = 1 if action == "REJECT" else 4 + size // 1200
        self.row(name, at, packet=packet, egress=egress, action=action, flags=flags,
                 packets=packets, bytes=60 * packets if action == "REJECT" else 52 * packets + size)

    def connection(self, at, client, server, port, size=1200):
        """A TCP connection that was opened, answered and closed."""
        at, there, back = self.packets(at, client, server, port)
        for name in filter(None, (BY_ADDRESS.get(client), BY_ADDRESS.get(server))):
            ours = INTERFACES[name][1]
            self.half(name, at, there, ours == client, "ACCEPT", SYN_FIN, 400)
            self.half(name, at, back, ours == server, "ACCEPT", SYN_ACK_FIN, size)

    def stopped(self, at, client, server, port):
        """A request that the server's side refuses; a client of ours lets it go."""
        at, there, _ = self.packets(at, client, server, port)
        if client in BY_ADDRESS:
            self.half(BY_ADDRESS[client], at, there, True, "ACCEPT", SYN, 0)
        self.half(BY_ADDRESS[server], at, there, False, "REJECT", SYN, 0)

    def reply_stopped(self, at, client, server, port):
        """A request that arrives and whose answer may not leave."""
        at, there, back = self.packets(at, client, server, port)
        self.half(BY_ADDRESS[client], at, there, True, "ACCEPT", SYN, 0)
        self.half(BY_ADDRESS[server], at, there, False, "ACCEPT", SYN, 0)
        self.half(BY_ADDRESS[server], at, back, True, "REJECT", SYN_ACK, 0)

    def packets(self, at, client, server, port):
        own = 32768 + self.chance.below(28000)
        at += timedelta(seconds=self.chance.below(40))
        return at, (client, server, own, port), (server, client, port, own)


def address(name):
    return INTERFACES[name][1]


def scenes(log):
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        shoppers(log, day)
        workings(log, day)
        metrics(log, day)
        administrators(log, day, number)
        night(log, day, number)
        scans(log, day, number)
        idle(log, day)


def shoppers(log, day):
    """The Internet buys books: four visits a day, from ever other addresses."""
    for visit in range(4):
        at = day + timedelta(hours=8 + 3 * visit, minutes=log.chance.below(50))
        network = ("198.51.100", "203.0.113")[log.chance.below(2)]
        shopper = f"{network}.{1 + log.chance.below(230)}"
        web = f"web-{1 + visit % 2}"
        log.connection(at, shopper, address(web), 443, 5000 + log.chance.below(40000))
        app = f"app-{1 + log.chance.below(2)}"
        at += timedelta(seconds=60)
        log.connection(at, address(web), address(app), 8080, 2400)


def workings(log, day):
    """Both application servers ask the database; one fetches pictures from S3."""
    for app in ("app-1", "app-2"):
        at = day + timedelta(hours=9, minutes=log.chance.below(59))
        log.connection(at, address(app), address("db-1"), 5432, 6000)
    at = day + timedelta(hours=10, minutes=5)
    log.connection(at, address("app-2"), f"192.0.2.{8 + log.chance.below(40)}", 443, 30000)


def metrics(log, day):
    """Once a day the monitor asks everyone. web-2 stands behind an ACL without
    the port, and the database's answer is stopped by its subnet's ACL."""
    at = day + timedelta(hours=6)
    monitor = address("monitor-1")
    for name in ("web-1", "app-1", "app-2", "batch-1"):
        log.connection(at, monitor, address(name), 9100, 8000)
    log.stopped(at, monitor, address("web-2"), 9100)
    log.reply_stopped(at, monitor, address("db-1"), 9187)


def administrators(log, day, number):
    """Two working days in seven someone comes from the office."""
    if number % 7 not in (1, 3):
        return
    at = day + timedelta(hours=13)
    log.connection(at, f"198.51.100.{241 + number % 5}", address("bastion-1"), 22, 9000)
    for name in ("web-1", "app-2", "web-2", "app-1")[number % 2 :: 2]:
        log.connection(at + timedelta(minutes=2), address("bastion-1"), address(name), 22, 9000)


def night(log, day, number):
    """The nightly job writes its report to S3, and asks the database, which
    has no rule for it. Three nights its records are lost."""
    at = day + timedelta(hours=2, minutes=10)
    if number in (9, 16, 23):
        log.row("batch-1", at, lost=True)
        return
    log.connection(at, address("batch-1"), "192.0.2.20", 443, 60000)
    log.stopped(at + timedelta(minutes=1), address("batch-1"), address("db-1"), 5432)


def scans(log, day, number):
    """Strangers knock at the public addresses, every third day."""
    if number % 3 == 0:
        stranger = f"203.0.113.{232 + log.chance.below(20)}"
        port = (23, 3389, 5900, 8088)[number // 3 % 4]
        web = f"web-{1 + number % 2}"
        log.stopped(day + timedelta(hours=4, minutes=20), stranger, address(web), port)


def idle(log, day):
    """Interfaces without traffic say so: two each hour, in turn."""
    names = sorted(INTERFACES)
    for hour in range(24):
        for turn, minute in ((0, 0), (4, 59)):
            at = day + timedelta(hours=hour, minutes=minute)
            log.row(names[(hour + turn) % len(names)], at)


def line(row, columns, version):
    """A row in the columns of one format."""
    name = row["interface"]
    eni, _, _, subnet, _ = INTERFACES[name]
    start = int(row["at"].timestamp())
    values = {
        "version": version,
        "account-id": ACCOUNT,
        "interface-id": eni,
        "start": start,
        "end": start + 59,
        "log-status": "SKIPDATA" if row.get("lost") else "NODATA",
        "vpc-id": VPC,
        "subnet-id": SUBNETS[subnet][0],
        "instance-id": instance(name),
    }
    if "packet" in row:
        values.update(traffic(row))
    return " ".join(str(values.get(column, "-")) for column in columns.split())


def traffic(row):
    source, destination, source_port, destination_port = row["packet"]
    values = {
        "srcaddr": source,
        "dstaddr": destination,
        "srcport": source_port,
        "dstport": destination_port,
        "protocol": 6,
        "packets": row["packets"],
        "bytes": row["bytes"],
        "action": row["action"],
        "log-status": "OK",
        "tcp-flags": row["flags"],
        "type": "IPv4",
        "pkt-srcaddr": source,
        "pkt-dstaddr": destination,
        "flow-direction": "egress" if row["egress"] else "ingress",
    }
    for end, side in ((source, "src"), (destination, "dst")):
        if is_s3(end):
            values[f"pkt-{side}-aws-service"] = "S3"
    if row["egress"]:
        values["traffic-path"] = 7 if is_s3(destination) else 1 if destination in BY_ADDRESS else 8
    return values


def is_s3(address):
    return address.startswith("192.0.2.") and int(address.rsplit(".", 1)[1]) < 64


def gzipped(text):
    """One gzip member without name or time, so that equal text makes equal bytes."""
    data = text.encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return head + body + struct.pack("<II", binascii.crc32(data), len(data))


def write_logs(rows):
    for folder, (flow_log, columns, version) in FORMATS.items():
        root = HERE / folder
        shutil.rmtree(root, ignore_errors=True)
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            today = [row for row in rows if row["at"].date() == day.date()]
            lines = [line(row, columns, version) for row in today]
            text = "\n".join([columns, *lines]) + "\n"
            path = root / f"AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/{day:%Y/%m/%d}"
            path.mkdir(parents=True)
            mark = hashlib.sha256(text.encode()).hexdigest()[:8]
            name = f"{ACCOUNT}_vpcflowlogs_{REGION}_{flow_log}_{day:%Y%m%d}T2355Z_{mark}.log.gz"
            (path / name).write_bytes(gzipped(text))


# --- The snapshot ----------------------------------------------------------


def instance(name):
    return INTERFACES[name][0].replace("eni-", "i-")


def permission_peer(peer):
    """Under which key of an IpPermission a peer stands, and as what."""
    if peer in GROUPS:
        return "UserIdGroupPairs", {"GroupId": GROUPS[peer], "UserId": ACCOUNT}
    if peer in PREFIX_LISTS:
        return "PrefixListIds", {"PrefixListId": peer}
    return "IpRanges", {"CidrIp": peer}


def permission(rule):
    _, _, _, protocol, first, last, peer, description = rule
    key, value = permission_peer(peer)
    answer = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "IpRanges": [],
              "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    answer[key] = [value | ({"Description": description} if description else {})]
    return answer


def security_groups():
    return [
        {
            "GroupId": group,
            "GroupName": name,
            "Description": PURPOSE[name],
            "VpcId": VPC,
            "OwnerId": ACCOUNT,
            "IpPermissions": [permission(rule) for rule in RULES if rule[1:3] == (name, IN)],
            "IpPermissionsEgress": [permission(rule) for rule in RULES if rule[1:3] == (name, OUT)],
            "Tags": [{"Key": "Name", "Value": name}],
        }
        for name, group in GROUPS.items()
    ]


def security_group_rules():
    for number, group, egress, protocol, first, last, peer, description in RULES:
        row = {"SecurityGroupRuleId": f"sgr-0c0ffee000000{number}", "GroupId": GROUPS[group],
               "GroupOwnerId": ACCOUNT, "IsEgress": egress, "IpProtocol": protocol,
               "FromPort": first, "ToPort": last}
        if peer in GROUPS:
            row["ReferencedGroupInfo"] = {"GroupId": GROUPS[peer], "UserId": ACCOUNT}
        elif peer in PREFIX_LISTS:
            row["PrefixListId"] = peer
        else:
            row["CidrIpv4"] = peer
        if description:
            row["Description"] = description
        yield row | {"Tags": []}


def network_interface(name):
    eni, private, group, subnet, public = INTERFACES[name]
    seen = {"Association": {"PublicIp": public, "IpOwnerId": ACCOUNT}} if public else {}
    return {
        "NetworkInterfaceId": eni,
        "InterfaceType": "interface",
        "Status": "in-use",
        "Description": "",
        "OwnerId": ACCOUNT,
        "RequesterManaged": False,
        "SourceDestCheck": True,
        "AvailabilityZone": REGION + SUBNETS[subnet][2],
        "VpcId": VPC,
        "SubnetId": SUBNETS[subnet][0],
        "PrivateIpAddress": private,
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": private} | seen],
        **seen,
        "Ipv6Addresses": [],
        "Groups": [{"GroupId": GROUPS[group], "GroupName": group}],
        "Attachment": {"InstanceId": instance(name), "InstanceOwnerId": ACCOUNT,
                       "DeviceIndex": 0, "Status": "attached"},
        "TagSet": [{"Key": "Name", "Value": name}],
    }


def acl_entry(number, egress, protocol, action, cidr, ports):
    entry = {"RuleNumber": number, "Egress": egress, "Protocol": protocol,
             "RuleAction": action, "CidrBlock": cidr}
    if ports:
        entry["PortRange"] = {"From": ports[0], "To": ports[1]}
    return entry


def network_acls():
    last = [(32767, egress, "-1", "deny", "0.0.0.0/0", None) for egress in (IN, OUT)]
    return [
        {
            "NetworkAclId": acl,
            "VpcId": VPC,
            "OwnerId": ACCOUNT,
            "IsDefault": name == "open",
            "Associations": [
                {"NetworkAclAssociationId": subnet.replace("subnet-", "aclassoc-"),
                 "NetworkAclId": acl, "SubnetId": subnet}
                for subnet, _, _, own in SUBNETS.values() if own == name
            ],
            "Entries": [acl_entry(*entry) for entry in entries + last],
            "Tags": [{"Key": "Name", "Value": name}],
        }
        for name, (acl, entries) in ACLS.items()
    ]


def prefix_list(identifier):
    name, owner, entries = PREFIX_LISTS[identifier]
    answer = {"PrefixListId": identifier, "PrefixListName": name, "AddressFamily": "IPv4",
              "State": "create-complete", "OwnerId": owner, "Tags": []}
    return answer if owner == "AWS" else answer | {"MaxEntries": 2, "Version": 1}


def flow_log(folder):
    identifier, columns, _ = FORMATS[folder]
    return {
        "FlowLogId": identifier,
        "FlowLogStatus": "ACTIVE",
        "DeliverLogsStatus": "SUCCESS",
        "ResourceId": VPC,
        "TrafficType": "ALL",
        "CreationTime": "2026-01-15T09:30:00.000Z",
        "LogDestinationType": "s3",
        "LogDestination": f"arn:aws:s3:::bookshop-logs/{folder}",
        "LogFormat": " ".join(f"${{{column}}}" for column in columns.split()),
        "MaxAggregationInterval": 60,
        "DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": False,
                               "PerHourPartition": False},
        "Tags": [],
    }


def write_snapshot():
    subnets = [
        {"SubnetId": subnet, "VpcId": VPC, "OwnerId": ACCOUNT, "CidrBlock": cidr,
         "AvailabilityZone": REGION + zone, "State": "available",
         "Tags": [{"Key": "Name", "Value": name}]}
        for name, (subnet, cidr, zone, _) in SUBNETS.items()
    ]
    vpc = {"VpcId": VPC, "CidrBlock": "10.20.0.0/16", "OwnerId": ACCOUNT, "State": "available",
           "CidrBlockAssociationSet": [{"AssociationId": "vpc-cidr-assoc-0c0ffee0000000001",
                                        "CidrBlock": "10.20.0.0/16",
                                        "CidrBlockState": {"State": "associated"}}],
           "IsDefault": False, "Tags": [{"Key": "Name", "Value": "bookshop"}]}
    answers = {
        "security-groups": {"SecurityGroups": security_groups()},
        "security-group-rules": {"SecurityGroupRules": list(security_group_rules())},
        "network-interfaces": {"NetworkInterfaces": [network_interface(name) for name in INTERFACES]},
        "network-acls": {"NetworkAcls": network_acls()},
        "subnets": {"Subnets": subnets},
        "vpcs": {"Vpcs": [vpc]},
        "managed-prefix-lists": {"PrefixLists": [prefix_list(identifier) for identifier in PREFIX_LISTS]},
        "flow-logs": {"FlowLogs": [flow_log(folder) for folder in FORMATS]},
    }
    for identifier, (_, _, entries) in PREFIX_LISTS.items():
        answers[f"prefix-list-entries-{identifier}"] = {
            "Entries": [{"Cidr": cidr, "Description": text} for cidr, text in entries]}
    root = HERE / "snapshot"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, answer in answers.items():
        (root / f"{name}.json").write_text(json.dumps(answer, indent=2) + "\n")
    (root / "captured-at.txt").write_text("2026-09-27T18:00:00Z\n")


def main():
    log = Log()
    scenes(log)
    write_logs(sorted(log.rows, key=lambda row: (row["at"], row["interface"])))
    write_snapshot()


if __name__ == "__main__":
    main()
