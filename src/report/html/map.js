// Who talks to whom: an overview as a matrix, which names alone cannot make
// unreadable (groups are gathered by the beginnings of their names until they
// fit, and taken apart again by a click), and one group with its neighbours.

/** Rows and columns of the matrix, before names are gathered. */
const MATRIX_SIZE = 32;
const NEIGHBOURS = 12;

/** Edges from who opened to who answered. Both ends may tell one: the larger count stands. */
function edgesOf(talks) {
  const edges = new Map();
  for (const talk of talks) {
    const party = typeof talk.party === "string" ? talk.party : talk.party.group;
    const [from, to] = talk.direction === "ingress" ? [party, talk.group_id] : [talk.group_id, party];
    const key = from + "\n" + to;
    const edge = edges.get(key) || { from, to, records: 0, conversations: 0, services: new Map(), more: 0 };
    edge.records = Math.max(edge.records, talk.records);
    edge.conversations = Math.max(edge.conversations, talk.conversations);
    edge.more = Math.max(edge.more, talk.more_services);
    for (const one of talk.services) {
      const name = service(one.protocol, one.from_port, one.to_port);
      edge.services.set(name, Math.max(edge.services.get(name) || 0, one.records));
    }
    edges.set(key, edge);
  }
  return [...edges.values()].sort((a, b) => b.records - a.records || (a.from + a.to < b.from + b.to ? -1 : 1));
}

function nodeName(id) {
  return ZONE[id] || clipped(groupName(id));
}

function nodeLink(id) {
  if (ZONE[id]) return el("em", null, ZONE[id]);
  return el("a", { href: "#talks=" + encodeURIComponent(id) }, nodeName(id));
}

function servicesText(edge, most) {
  const names = [...edge.services].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const rest = Math.max(0, names.length - most) + edge.more;
  return names.slice(0, most).join(", ") + (rest > 0 ? " and " + number(rest) + " more" : "");
}

function edgeText(edge) {
  return nodeName(edge.from) + " " + edge.from + " " + nodeName(edge.to) + " " + edge.to + " " + [...edge.services.keys()].join(" ");
}

function talkMap(section) {
  const edges = edgesOf(model.talks);
  if (edges.length === 0) {
    section.append(el("p", null, "No conversation was let through by a rule of these groups, or the analysis is of a version that did not tell."));
    return { open: () => false };
  }
  const state = { search: "", inside: [] };
  const names = el("datalist", { id: "group-names" }, model.list.map((group) =>
    el("option", { value: group.group_id }, group.group_name)));
  const pick = el("input", { type: "text", list: "group-names", placeholder: "name or id of a group", autocomplete: "off", spellcheck: "false",
    onchange: () => {
      const [id, many] = findGroup(pick.value);
      told.textContent = many === 0 ? "No group has that in its name or id."
        : many > 1 ? plural(many, "group") + " fit; the first is shown. An id names one." : "";
      if (id) location.hash = "talks=" + encodeURIComponent(id);
    } });
  const told = el("p", { class: "note", role: "status" });
  const one = el("div", { "aria-live": "polite" });
  const overview = el("div");
  const cell = el("div", { "aria-live": "polite" });
  const draw = () => {
    const words = state.search.split(/\s+/).filter(Boolean);
    const shown = words.length === 0 ? edges : edges.filter((edge) => {
      const text = edgeText(edge).toLowerCase();
      return words.every((word) => text.includes(word));
    });
    cell.replaceChildren();
    overview.replaceChildren(...matrix(shown, state, draw, cell));
  };
  section.append(
    el("h3", { id: "one-group" }, "One group and its neighbours"),
    el("div", { class: "tools" }, labelled("Group", pick, true), names), told, one,
    el("h3", null, "All of them"),
    el("p", { class: "note" }, "A row opens connections to a column; the number counts conversations. A name opens what it stands for, a number lists it."),
    el("div", { class: "tools", role: "search", "aria-label": "Who talks to whom" },
      labelled("Only where a name or service has", searchBox("name, id, tcp/443, Internet", (text) => { state.search = text; draw(); }), true)),
    overview, cell);
  draw();
  const open = (id, scroll) => {
    if (!model.groups.has(id)) return false;
    pick.value = id;
    one.replaceChildren(ego(id, edges));
    connect(one);
    if (scroll) document.getElementById("one-group").scrollIntoView({ block: "start" });
    return true;
  };
  const busiest = edges.flatMap((edge) => [edge.to, edge.from]).find((id) => model.groups.has(id));
  if (busiest) open(busiest, false);
  addEventListener("resize", () => connect(one));
  return { open: (id) => open(id, true) };
}

/** A group by id, by name, or by a part of either; and how many fit as well. */
function findGroup(typed) {
  const wanted = typed.trim().toLowerCase();
  const test = [(text) => text === wanted, (text) => wanted !== "" && text.startsWith(wanted), (text) => wanted !== "" && text.includes(wanted)];
  for (const fits of test) {
    const found = model.list.filter((group) => fits(group.group_id.toLowerCase()) || fits(group.group_name.toLowerCase()));
    if (found.length > 0) return [found[0].group_id, found.length];
  }
  return [null, wanted === "" ? 1 : 0];
}

function ego(id, edges) {
  const group = model.groups.get(id);
  const sides = [edges.filter((edge) => edge.to === id), edges.filter((edge) => edge.from === id)];
  const list = (heading, side, of) => {
    const shown = side.slice(0, NEIGHBOURS);
    const item = (edge) => el("li", { "data-weight": Math.max(1, Math.log10(edge.records + 1)).toFixed(1) },
      nodeLink(of(edge)), el("div", { class: "note" }, servicesText(edge, 4) + "; " + plural(edge.records, "record")));
    const items = el("ul", null, shown.map(item));
    const rest = side.length - shown.length;
    const more = rest > 0 ? el("button", { type: "button", class: "more", onclick: () => {
      items.append(...side.slice(NEIGHBOURS).map(item));
      more.remove();
      connect(items.closest(".ego").parentElement);
    } }, "Show " + number(rest) + " more") : null;
    return el("div", null, el("h4", null, heading + " (" + number(side.length) + ")"),
      side.length > 0 ? items : el("p", { class: "note" }, "none seen"), more);
  };
  return el("div", { class: "ego" }, svg("svg", { "aria-hidden": "true" }),
    list("Opens connections to it", sides[0], (edge) => edge.from),
    el("div", { class: "hub" }, el("strong", { title: group.group_name || null }, nodeName(id)), el("br"), code(id), el("br"),
      el("a", { href: "#group=" + encodeURIComponent(id) }, "its rules")),
    list("It opens connections to", sides[1], (edge) => edge.to));
}

/** Draws the lines between a group and its neighbours, where there is room. */
function connect(holder) {
  const box = holder.querySelector(".ego");
  if (!box) return;
  const canvas = box.querySelector("svg");
  const frame = box.getBoundingClientRect();
  canvas.replaceChildren();
  canvas.setAttribute("viewBox", `0 0 ${frame.width.toFixed(0)} ${frame.height.toFixed(0)}`);
  const hub = box.querySelector(".hub").getBoundingClientRect();
  for (const item of box.querySelectorAll("li")) {
    const at = item.getBoundingClientRect();
    const left = at.left < hub.left;
    const [x1, x2] = left ? [at.right, hub.left] : [hub.right, at.left];
    const [y1, y2] = left ? [at.top + at.height / 2, hub.top + hub.height / 2] : [hub.top + hub.height / 2, at.top + at.height / 2];
    const [ax, bx, ay, by] = [x1 - frame.left, x2 - frame.left, y1 - frame.top, y2 - frame.top];
    const bend = (bx - ax) / 2;
    canvas.append(svg("path", {
      d: `M${ax.toFixed(1)} ${ay.toFixed(1)} C${(ax + bend).toFixed(1)} ${ay.toFixed(1)} ${(bx - bend).toFixed(1)} ${by.toFixed(1)} ${bx.toFixed(1)} ${by.toFixed(1)}`,
      "stroke-width": item.dataset.weight,
    }));
  }
}

/** Gathers ids under few names: by so many words of the name as fit. */
function gather(ids, most) {
  if (ids.length <= most) return new Map(ids.map((id) => [id, { label: nodeName(id), ids: [id] }]));
  const words = (id, depth) => nodeName(id).split(/(?<=[-_./: ])/).slice(0, depth).join("");
  let best = null;
  for (let depth = 1; depth <= 6; depth += 1) {
    const found = new Map();
    for (const id of ids) {
      const key = ZONE[id] ? id : words(id, depth);
      found.set(key, (found.get(key) || []).concat(id));
    }
    if (best === null || found.size <= most) best = found;
    if (found.size > most) break;
  }
  const sorted = [...best].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
  const bins = new Map();
  for (const [key, members] of sorted.slice(0, most)) {
    bins.set("bin " + key, { label: members.length === 1 ? nodeName(members[0]) : key.replace(/[-_./: ]$/, "") + "\u2026 (" + members.length + ")", ids: members });
  }
  const rest = sorted.slice(most).flatMap(([, members]) => members);
  if (rest.length > 0) bins.set("rest", { label: "others (" + rest.length + ")", ids: rest });
  return bins;
}

function matrix(edges, state, draw, below) {
  if (edges.length === 0) return [el("p", null, "Nothing fits.")];
  const inside = state.inside.length > 0 ? new Set(state.inside[state.inside.length - 1].ids) : null;
  const shown = inside ? edges.filter((edge) => inside.has(edge.from) || inside.has(edge.to)) : edges;
  const all = [...new Set(shown.flatMap((edge) => [edge.from, edge.to]))].sort((a, b) => nodeName(a).localeCompare(nodeName(b), "en") || (a < b ? -1 : 1));
  const bins = inside
    ? new Map([...gather(all.filter((id) => inside.has(id)), MATRIX_SIZE), ...gather(all.filter((id) => !inside.has(id)), 12)])
    : gather(all, MATRIX_SIZE);
  const binOf = new Map([...bins].flatMap(([key, bin]) => bin.ids.map((id) => [id, key])));
  const cells = new Map();
  for (const edge of shown) {
    const key = binOf.get(edge.from) + "\n" + binOf.get(edge.to);
    cells.set(key, (cells.get(key) || []).concat(edge));
  }
  const order = [...bins].sort((a, b) => a[1].label.localeCompare(b[1].label, "en") || (a[0] < b[0] ? -1 : 1));
  const rows = order.filter(([key]) => order.some(([other]) => cells.has(key + "\n" + other)));
  const columns = order.filter(([key]) => order.some(([other]) => cells.has(other + "\n" + key)));
  const total = (list) => list.reduce((sum, edge) => sum + edge.conversations, 0);
  const most = Math.log10(1 + Math.max(...[...cells.values()].map(total)));
  const opener = ([, bin]) => bin.ids.length > 1
    ? el("button", { class: "link", type: "button", onclick: () => { state.inside.push(bin); draw(); } }, bin.label)
    : nodeLink(bin.ids[0]);
  const cellOf = ([from, rowBin], [to, columnBin]) => {
    const list = cells.get(from + "\n" + to);
    if (!list) return el("td");
    const count = total(list);
    const heat = (0.12 + 0.38 * Math.log10(1 + count) / Math.max(1, most)).toFixed(2);
    const label = rowBin.label + " to " + columnBin.label + ": " + plural(count, "conversation");
    return el("td", { style: `background:rgba(var(--heat),${heat})` },
      el("button", { type: "button", title: label, "aria-label": label, onclick: () => {
        below.replaceChildren(el("h4", null, label), edgeTable(list));
        below.scrollIntoView({ block: "nearest" });
      } }, short(count)));
  };
  const crumbs = el("p", { class: "crumbs" },
    state.inside.length > 0 ? el("button", { type: "button", onclick: () => { state.inside.pop(); draw(); } }, "Back to " + (state.inside.length > 1 ? state.inside[state.inside.length - 2].label : "all")) : null,
    el("span", { class: "count", role: "status" }, plural(shown.length, "pair") + " who talk" + (inside ? ", inside " + state.inside[state.inside.length - 1].label : "")));
  return [crumbs, el("div", { class: "scroll", role: "region", "aria-label": "Matrix of who talks to whom", tabindex: "0" },
    el("table", { class: "matrix" },
      el("thead", null, el("tr", null, el("td"), columns.map((column) => el("th", { scope: "col", title: column[1].label }, el("span", null, opener(column)))))),
      el("tbody", null, rows.map((row) => el("tr", null, el("th", { scope: "row", title: row[1].label }, opener(row)), columns.map((column) => cellOf(row, column)))))))];
}

function short(count) {
  if (count < 1000) return String(count);
  if (count < 1e6) return Math.floor(count / 1e3) + "k";
  return Math.floor(count / 1e6) + "M";
}

function edgeTable(edges) {
  const shown = edges.slice(0, 200);
  return el("div", null,
    table("Conversations", [["From"], ["To"], ["Services"], ["Conversations", "num"], ["Records", "num"]],
      shown.map((edge) => [nodeLink(edge.from), nodeLink(edge.to), code(servicesText(edge, 8)), number(edge.conversations), number(edge.records)])),
    edges.length > shown.length ? el("p", { class: "note" }, "and " + number(edges.length - shown.length) + " more pairs") : null);
}
