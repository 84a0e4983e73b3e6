// The list of groups: search, filter, sort; each opens to its rules and
// proposals, drawn when it is opened.

const GROUP_FILTERS = [
  ["", "all groups"],
  ["tighten", "with a proposal"],
  ["unused", "with an unused rule"],
  ["redundant", "with a redundant rule"],
  ["no_effect", "with a rule without effect"],
  ["unobservable", "with a rule not observable"],
  ["undecided", "with a rule undecided"],
  ["detached", "on no interface"],
  ["rejects", "with REJECTs to look at"],
];
const GROUP_ORDERS = [
  ["closed", "largest opening first"],
  ["before", "most exposed first"],
  ["name", "by name"],
  ["findings", "most findings first"],
];

function groupList(section) {
  const state = { search: "", filter: "", order: "closed" };
  const rows = new Map();
  const list = pagedList(el("div", { class: "rows" }), "group", (group) => {
    const row = groupRow(group);
    rows.set(group.group_id, row);
    return row;
  }, 100);
  const update = () => {
    rows.clear();
    list.show(model.list.filter((group) => matches(group, state)).sort(ordering(state.order)), model.list.length);
  };
  const box = searchBox("name, id, port, peer, description", (text) => { state.search = text; update(); });
  const filter = choice(GROUP_FILTERS, (value) => { state.filter = value; update(); });
  section.append(
    el("div", { class: "tools", role: "search", "aria-label": "Security groups" },
      labelled("Search", box, true),
      labelled("Show", filter),
      labelled("Order", choice(GROUP_ORDERS, (value) => { state.order = value; update(); }))),
    el("p", { class: "note" }, "Bars show exposure on a logarithmic scale: half as long is far less than half as much. "
      + "Proposed is what may be applied, after review where that is said."),
    ...list.nodes);
  update();
  return {
    /** Opens a group and goes to it, clearing what hides it. */
    open(id) {
      const group = model.groups.get(id);
      if (!group) return false;
      if (!list.reach(group)) {
        state.search = box.value = "";
        state.filter = filter.value = "";
        update();
        list.reach(group);
      }
      const row = rows.get(id);
      row.open = true;
      row.scrollIntoView({ block: "start" });
      row.querySelector("summary").focus({ preventScroll: true });
      return true;
    },
  };
}

function matches(group, state) {
  const facts = model.facts.get(group.group_id);
  if (state.search && !state.search.split(/\s+/).every((word) => text(group).includes(word))) return false;
  switch (state.filter) {
    case "": return true;
    case "tighten": return facts.tightens.length > 0;
    case "detached": return group.interfaces === 0;
    case "rejects": return facts.rejects > 0;
    default: return group.rules.some((rule) => statusOf(rule) === state.filter);
  }
}

/** What a search looks through, made once. */
function text(group) {
  const facts = model.facts.get(group.group_id);
  if (facts.text === undefined) {
    const rules = group.rules.flatMap((rule) => [rule.rule_id, ruleService(rule), rule.description, rule.status,
      ...Object.values(rule.peer), ...(rule.peer.group ? [(model.groups.get(rule.peer.group) || {}).group_name || ""] : [])]);
    facts.text = [group.group_id, group.group_name, group.vpc_id || "", ...rules].join("\n").toLowerCase();
  }
  return facts.text;
}

function ordering(order) {
  const facts = (group) => model.facts.get(group.group_id);
  const name = (a, b) => (a.group_name || a.group_id).localeCompare(b.group_name || b.group_id, "en") || (a.group_id < b.group_id ? -1 : 1);
  const keys = {
    closed: (group) => facts(group).before - facts(group).after,
    before: (group) => facts(group).before,
    findings: (group) => facts(group).findings,
  };
  const key = keys[order];
  return key ? (a, b) => key(b) - key(a) || name(a, b) : name;
}

function groupRow(group) {
  const facts = model.facts.get(group.group_id);
  return lazyRow({ id: "row-" + group.group_id.replace(/[^\w-]/g, "_") },
    el("summary", null,
      el("span", { class: "name", title: group.group_name || null }, clipped(group.group_name || group.group_id),
        el("small", null, code(group.group_id), group.vpc_id ? " in " + group.vpc_id : "", ", ",
          plural(group.interfaces, "interface"),
          group.interfaces_logged < group.interfaces ? ", " + number(group.interfaces_logged) + " logged" : "")),
      el("span", { class: "badges" }, groupBadges(group, facts)),
      exposureMeter(facts)),
    () => groupBody(group, facts));
}

function groupBadges(group, facts) {
  const badges = [];
  const counts = new Map();
  for (const rule of group.rules) counts.set(statusOf(rule), (counts.get(statusOf(rule)) || 0) + 1);
  for (const [status, [kind, word]] of Object.entries(STATUS)) {
    if (counts.get(status)) badges.push(badge(kind, number(counts.get(status)) + " " + word));
  }
  for (const proposal of facts.tightens) {
    const [kind, trust] = TRUST[proposal.applicability] || ["warn", ""];
    badges.push(badge(kind, "tighten " + proposal.direction + ": " + trust));
  }
  if (facts.rejects > 0) badges.push(badge("bad", plural(facts.rejects, "REJECT") + " to look at"));
  if (group.rules.length === 0) badges.push(badge("", "no rules"));
  return badges;
}

/** Exposure today and after what may be applied, on a logarithmic scale shared by all groups. */
function exposureMeter(facts) {
  if (!facts.known) return el("span", { class: "note" }, "exposure not compared");
  const width = (value) => (value < 1 ? 0 : 8 + 52 * Math.log10(value) / Math.max(1, model.highest)).toFixed(0) + "%";
  const track = (kind, value) => el("span", { class: "track" },
    el("span", { class: "fill" + kind, style: "width:" + width(value) }), volume(plain(value)));
  return el("span", { class: "meter" }, "today", track("", facts.before),
    facts.applies ? ["proposed", track(" after", facts.after)] : null);
}

function plain(value) {
  return value >= 1e21 ? String(value) : value.toFixed(0);
}

function groupBody(group, facts) {
  return [
    ...facts.proposals.flatMap((proposal) => proposalBody(proposal, group)),
    ...[rulesTable(group, "ingress"), rulesTable(group, "egress")].flat(),
    el("p", null, el("button", { type: "button", onclick: () => { location.hash = "talks=" + encodeURIComponent(group.group_id); } },
      "Who talks to this group")),
  ].filter(Boolean);
}
