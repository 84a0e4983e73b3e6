# Rules of one answer of DescribeSecurityGroupAttribute, one a line: id, policy,
# priority, protocol, ports, kind of peer, peer, whether it asks for more. Names
# of policies and protocols come in any case, and what is unset as an empty text.
import ipaddress, json, sys

NAMES = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp", "47": "gre"}

def net(text):
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text

def peer(rule, side):
    for key, kind in ((side + "CidrIp", "cidr"), ("Ipv6" + side + "CidrIp", "cidr")):
        if rule.get(key):
            return kind, net(rule[key])
    if rule.get(side + "PrefixListId"):
        return "list", rule[side + "PrefixListId"]
    return "group", rule.get(side + "GroupId") or ""

def ports(rule, protocol):
    text = (rule.get("PortRange") or "-1/-1").strip()
    if protocol not in ("tcp", "udp"):
        return "-1/-1"
    first, _, last = text.partition("/")
    if first == "-1":
        return "1/65535"
    return "{}/{}".format(max(int(first), 1), int(last or first))

def more(rule, near):
    asked = [rule.get("PortRangeListId"), rule.get("Ipv6" + near + "CidrIp")]
    if rule.get(near + "CidrIp") not in (None, "", "0.0.0.0/0"):
        asked.append(True)
    if rule.get("SourcePortRange") not in (None, "", "-1/-1", "1/65535"):
        asked.append(True)
    return "more" if any(asked) else "plain"

page = json.load(sys.stdin)
for rule in page["Permissions"]["Permission"]:
    ingress = str(rule["Direction"]).lower() == "ingress"
    far, near = ("Source", "Dest") if ingress else ("Dest", "Source")
    protocol = str(rule["IpProtocol"]).lower()
    protocol = NAMES.get(protocol, protocol)
    words = [rule.get("SecurityGroupRuleId") or "", str(rule["Policy"]).lower()]
    words += [str(rule.get("Priority") or 1), protocol, ports(rule, protocol)]
    words += [*peer(rule, far), more(rule, near)]
    print("\t".join("".join(c if c.isprintable() else "?" for c in word) for word in words))
if page.get("NextToken"):
    print("next\t" + page["NextToken"])
