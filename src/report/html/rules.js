// A group's rules with what each earned, and when.

function ruleService(rule) {
  return service(rule.protocol, rule.from_port, rule.to_port);
}

/** A peer with the names that go with its id. */
function peer(of) {
  if (of.cidr) return code(of.cidr);
  if (of.group) return groupLink(of.group);
  if (of.prefix_list) return el("span", null, "prefix list ", code(of.prefix_list));
  return code(JSON.stringify(of));
}

function groupLink(id) {
  const group = model.groups.get(id);
  if (!group) return el("span", null, "group ", code(id), " (not in the snapshot)");
  return el("a", { href: "#group=" + encodeURIComponent(id), title: group.group_name || null }, clipped(group.group_name || id));
}

function statusBadge(rule) {
  const status = statusOf(rule);
  const [kind, word] = STATUS[status] || ["", status];
  const tier = rule.status === "unused" && rule.tier ? ": " + (TIER[rule.tier] || rule.tier) + " (" + rule.tier + ")" : "";
  return badge(kind, word + tier);
}

function rulesTable(group, direction) {
  const rules = group.rules.filter((rule) => rule.direction === direction);
  if (rules.length === 0) return null;
  const toward = direction === "ingress" ? "From" : "To";
  const columns = [["Service"], [toward], ["What became of it"], ["Records", "num"], ["Needed by it alone", "num"], ["Seen"], ["Rule"]];
  const rows = rules.map((rule) => [
    code(ruleService(rule)),
    [peer(rule.peer), rule.effect === "drop" ? badge("bad", "drop") : null],
    [statusBadge(rule), ruleReasons(rule)],
    number(rule.records),
    number(rule.sole_records),
    rule.first_seen ? [strip(rule), seenOn(rule)] : "never",
    [code(rule.rule_id), rule.description ? el("div", { class: "note" }, "\u201c" + rule.description + "\u201d") : null],
  ]);
  return [el("h4", null, direction === "ingress" ? "Ingress rules" : "Egress rules"),
    table((direction === "ingress" ? "Ingress" : "Egress") + " rules of " + (group.group_name || group.group_id), columns, rows)];
}

function ruleReasons(rule) {
  const lines = [...rule.reasons];
  if (rule.also_allowed_by.length > 0) {
    const shown = rule.also_allowed_by.slice(0, 4).join(", ");
    const rest = rule.also_allowed_by.length - 4;
    lines.push("also let through by " + shown + (rest > 0 ? " and " + rest + " more" : ""));
  }
  if (lines.length === 0) return null;
  return el("ul", { class: "plain note" }, lines.map((line) => el("li", null, withCode(line))));
}

/** The first and the last day of use. */
function seenOn(rule) {
  const [first, last] = [day(rule.first_seen), day(rule.last_seen)];
  const whole = (text) => el("span", { class: "whole" }, text);
  return el("small", { class: "note" }, whole(first), first === last ? null : [" to ", whole(last)]);
}

/** When a rule was used, within the window of the logs: a mark for each stretch with a use. */
function strip(rule) {
  if (!model.window || !rule.first_seen) return null;
  const start = Date.parse(model.window.start);
  const span = Math.max(1, Date.parse(model.window.end) - start);
  const at = (time) => Math.min(144, Math.max(0, (time - start) / span * 144));
  const marks = uses(rule).map(([from, to]) =>
    svg("rect", { class: "life", x: at(from).toFixed(1), y: 4, width: Math.max(1.5, at(to) - at(from)).toFixed(1), height: 8 }));
  const label = "used " + times(rule.first_seen, rule.last_seen) + density(rule.history);
  return svg("svg", { class: "strip", viewBox: "0 0 144 16", role: "img", "aria-label": label },
    svg("title", null, label),
    svg("rect", { class: "base", x: 0, y: 7, width: 144, height: 2 }),
    marks);
}

/** From and to of each run of stretches with a use, in milliseconds, within first and last use. */
function uses(rule) {
  const [first, last] = [Date.parse(rule.first_seen), Date.parse(rule.last_seen)];
  if (!rule.history) return [[first, last]];
  const [start, step] = [Date.parse(rule.history.start), rule.history.step_seconds * 1000];
  return [...rule.history.active.matchAll(/1+/g)].map((run) => [
    Math.max(first, start + run.index * step),
    Math.min(last, start + (run.index + run[0].length) * step),
  ]);
}

/** How many of the stretches between first and last use have one. */
function density(history) {
  if (!history || history.active.length < 2) return "";
  const active = history.active.replaceAll("0", "").length;
  const hours = history.step_seconds / 3600;
  const step = hours % 24 === 0 ? plural(hours / 24, "day") : plural(hours, "hour");
  return ", in " + active + " of " + history.active.length + " stretches of " + step;
}
