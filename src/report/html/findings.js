// All findings by severity: what trackers know by the same ids.

const SEVERITY = { high: ["bad", "high"], medium: ["warn", "medium"], low: ["cool", "low"], info: ["", "info"] };
const FINDING_STATE = { new: ["bad", "new"], unchanged: ["", "unchanged"] };

function findingList(section) {
  document.getElementById("worst").remove();
  const state = { search: "", severity: "", code: "" };
  const list = pagedList(el("div", { class: "rows" }), "finding", findingRow, 12);
  const update = () => list.show(model.findings.filter((one) => findingMatches(one, state)), model.findings.length);
  if (model.findings.length === 0) return list;
  const counts = (key) => {
    const found = new Map();
    for (const one of model.findings) found.set(one[key], (found.get(one[key]) || 0) + 1);
    return found;
  };
  const severities = [...counts("severity")].map(([value, count]) => [value, value + " (" + number(count) + ")"]);
  const codes = [...counts("code")].sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([value, count]) => [value, value + " " + model.codes[value].name + " (" + number(count) + ")"]);
  section.append(
    el("div", { class: "tools", role: "search", "aria-label": "Findings" },
      labelled("Search", searchBox("id, group, rule, control, word", (text) => { state.search = text; update(); }), true),
      labelled("Severity", choice([["", "all"], ...severities], (value) => { state.severity = value; update(); })),
      labelled("Code", choice([["", "all"], ...codes], (value) => { state.code = value; update(); }))),
    ...list.nodes);
  update();
  return list;
}

function findingMatches(one, state) {
  if (state.severity && one.severity !== state.severity) return false;
  if (state.code && one.code !== state.code) return false;
  if (!state.search) return true;
  if (one.searched === undefined) {
    one.searched = [one.id, one.code, model.codes[one.code].name, one.subject, one.group_name, one.text, ...one.controls].join("\n").toLowerCase();
  }
  return state.search.split(/\s+/).every((word) => one.searched.includes(word));
}

function findingRow(one) {
  const name = one.group_name || (one.group_id ? groupName(one.group_id) : one.subject.split("/")[0]);
  return lazyRow({},
    el("summary", null,
      el("span", { class: "name", title: name }, clipped(name), el("small", null, code(one.subject))),
      el("span", { class: "badges" }, badge(...SEVERITY[one.severity]), badge("", one.code + " " + model.codes[one.code].name),
        one.state ? badge(...FINDING_STATE[one.state]) : null, one.accepted ? badge("good", "accepted") : null),
      el("span", { class: "note" }, withCode(one.text.replaceAll(" -> ", " \u2192 ")))),
    () => findingBody(one));
}

function findingBody(one) {
  const remedy = model.codes[one.code].remedy;
  const item = (tag) => el("li", null, code(tag), " ", model.controls[tag]);
  return [
    el("p", { class: "note" }, "Known to trackers as ", code(one.id), "."),
    one.accepted ? el("p", null, "Accepted: " + one.accepted) : null,
    one.reasons.length > 0 ? el("ul", { class: "plain" }, one.reasons.map((reason) => el("li", null, withCode(reason)))) : null,
    remedy ? el("p", null, el("strong", null, "Next: "), withCode(remedy)) : null,
    one.controls.length > 0
      ? el("div", null, el("h4", null, "Controls that it touches"), el("ul", { class: "plain" }, one.controls.map(item))) : null,
    one.group_id && model.groups.has(one.group_id) ? el("p", null, groupLink(one.group_id)) : null,
  ].filter(Boolean);
}
