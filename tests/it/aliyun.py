#!/usr/bin/env python3
# Stands in for `aliyun ecs`: keeps groups in `groups.json`, notes what it is
# asked in `calls`, answers two rules a page, fails at the call FAIL_AT, and at
# the call LOSE_AT does what it is asked and loses the answer.
import json, os, sys

NUMBER = sum(1 for _ in open("calls")) + 1 if os.path.exists("calls") else 1
with open("calls", "a") as calls:
    calls.write(sys.argv[2] + "\n")
if NUMBER == int(os.environ.get("FAIL_AT", 0)):
    sys.exit("ERROR: Throttling")
words = []
for word in sys.argv[3:]:
    words += word.split("=", 1) if word.startswith("--") and "=" in word else [word]
asked = dict(zip(words[::2], words[1::2]))
action, group = sys.argv[2], asked["--SecurityGroupId"]
groups = json.load(open("groups.json"))
rules = groups[group]
if action == "DescribeSecurityGroupAttribute":
    own = [rule for rule in rules if rule["Direction"] == asked["--Direction"]]
    start = int(asked.get("--NextToken", 0))
    token = str(start + 2) if start + 2 < len(own) else ""
    policy = groups.setdefault("policies", {}).get(group, "Accept")
    print(json.dumps({"InnerAccessPolicy": policy, "NextToken": token, "Permissions": {"Permission": own[start:start + 2]}}))
elif action == "ModifySecurityGroupPolicy":
    groups.setdefault("policies", {})[group] = asked["--InnerAccessPolicy"]
    json.dump(groups, open("groups.json", "w"))
else:
    direction = "egress" if action.endswith("Egress") else "ingress"
    if action.startswith("Authorize"):
        head = "--Permissions.1."
        rule = {key[len(head):]: value for key, value in asked.items() if key.startswith(head)}
        rule["Direction"] = direction
        # What makes a rule the same: all but its priority and its description.
        kind = lambda one: {key: value.lower() for key, value in one.items()
                            if value and key not in ("Priority", "Description", "SecurityGroupRuleId")}
        if all(kind(one) != kind(rule) for one in rules):
            rules.append({**rule, "SecurityGroupRuleId": "sgr-" + os.urandom(8).hex()})
    else:
        gone = asked["--SecurityGroupRuleId.1"]
        kept = [rule for rule in rules if rule["SecurityGroupRuleId"] != gone]
        if len(kept) == len(rules):
            sys.exit("ERROR: InvalidSecurityGroupRule.RuleNotExist")
        groups[group] = kept
    json.dump(groups, open("groups.json", "w"))
    print(json.dumps({"RequestId": "R-1"}))
if NUMBER == int(os.environ.get("LOSE_AT", 0)):
    sys.exit("ERROR: timeout")
