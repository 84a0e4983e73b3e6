// Rejected traffic, triaged.

function rejectList(section) {
  const state = { search: "", verdict: "look" };
  const list = pagedList(el("div", { class: "rows" }), "REJECT", rejectRow, 100);
  const update = () => list.show(model.rejects.filter((reject) => rejectMatches(reject, state)), model.rejects.length);
  const wanted = model.rejects.some((reject) => rejectMatches(reject, state));
  if (!wanted) state.verdict = "";
  const filter = choice([["look", "to look at"], ["", "all"], ["misconfiguration", "looks wanted"],
    ["unclear", "unclear"], ["expected", "expected"], ["noise", "noise"]], (value) => { state.verdict = value; update(); });
  filter.value = state.verdict;
  if (model.rejects.length === 0) {
    section.append(el("p", null, "Nothing was rejected."));
    return list;
  }
  section.append(
    el("div", { class: "tools", role: "search", "aria-label": "Rejected traffic" },
      labelled("Search", searchBox("interface, group, port, address, cause", (value) => { state.search = value; update(); }), true),
      labelled("Show", filter)),
    ...list.nodes);
  update();
  return list;
}

function rejectMatches(reject, state) {
  const look = reject.verdict === "misconfiguration" || reject.verdict === "unclear";
  if (state.verdict === "look" ? !look : state.verdict && reject.verdict !== state.verdict) return false;
  if (!state.search) return true;
  if (reject.searched === undefined) {
    reject.searched = [reject.interface_id, ...reject.group_ids, ...reject.group_ids.map(groupName), rejectService(reject),
      reject.peer, ...reject.peer_groups, ...reject.peer_groups.map(groupName), CAUSE[reject.cause], reject.text].join("\n").toLowerCase();
  }
  return state.search.split(/\s+/).every((word) => reject.searched.includes(word));
}

function groupName(id) {
  return (model.groups.get(id) || {}).group_name || id;
}

function rejectService(reject) {
  return reject.port === null ? reject.protocol : reject.protocol + "/" + reject.port;
}

function rejectRow(reject) {
  const [kind, word] = VERDICT[reject.verdict] || ["", reject.verdict];
  const toward = reject.direction === "ingress" ? "from" : "to";
  return lazyRow({},
    el("summary", null,
      el("span", { class: "name" }, (reject.reply ? "reply of " : "") + rejectService(reject) + " " + toward + " ",
        reject.peers > 1 ? plural(reject.peers, "address") .replace(/addresss$/, "addresses") + " in " + reject.peer : reject.peer,
        el("small", null, reject.direction + " at ", reject.group_ids.map((id) => clipped(groupName(id))).join(", ") || "no group", ", ", code(reject.interface_id))),
      el("span", { class: "badges" }, badge(kind, word), badge("", CAUSE[reject.cause] || reject.cause)),
      el("span", { class: "note" }, plural(reject.records, "record"), ", ", times(reject.first_seen, reject.last_seen))),
    () => rejectBody(reject));
}

function rejectBody(reject) {
  const nearest = reject.nearest.map((one) => el("li", null, code(one.rule_id), " misses on ", one.misses.join(" and ")));
  return [
    el("p", null, reject.text),
    reject.peer_groups.length > 0
      ? el("p", null, "The far side carries ", reject.peer_groups.map((id, at) => [at > 0 ? ", " : "", groupLink(id)]), ".") : null,
    nearest.length > 0 ? el("div", null, el("h4", null, "Nearest rules"), el("ul", { class: "plain" }, nearest)) : null,
    reject.fix ? el("p", null, el("strong", null, "Would do, if it is wanted: "), reject.fix) : null,
    el("p", { class: "note" }, number(reject.packets) + " packets, " + number(reject.bytes) + " bytes."),
  ].filter(Boolean);
}
