// Building blocks. Text enters the page through textContent and attributes
// only, so whatever a name holds, it is shown and never obeyed.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children (nodes or text; null is skipped). */
function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== "") node.append(child);
  }
  return node;
}

function code(text) {
  return el("code", null, text);
}

/** Text of ours whose parts between backticks are code. */
function withCode(text) {
  return text.split("`").map((part, at) => (at % 2 === 1 ? code(part) : part));
}

function badge(kind, text) {
  return el("span", { class: "badge " + kind }, text);
}

/** A row whose body is made when it is opened, or printed. */
function lazyRow(attributes, summary, make) {
  const body = el("div", { class: "body" });
  const row = el("details", { class: "row", ...attributes }, summary, body);
  row.build = () => {
    if (!body.hasChildNodes()) body.append(...make());
  };
  row.addEventListener("toggle", () => { if (row.open) row.build(); });
  return row;
}

/** Opens all that is drawn, with what is inside of it. */
function openAll() {
  for (let closed = [null]; closed.length > 0;) {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const row of closed) {
      if (row.build) row.build();
      row.open = true;
    }
  }
  for (const row of document.querySelectorAll("details.row")) row.build();
}

/** A labelled control for a toolbar. */
function labelled(text, control, wide) {
  return el("label", { class: wide ? "wide" : null }, text, control);
}

function choice(options, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) });
  for (const [value, text] of options) select.append(el("option", { value }, text));
  return select;
}

/** A search box that waits until the typing rests. */
function searchBox(placeholder, onsearch) {
  let timer = 0;
  const box = el("input", {
    type: "search", placeholder, autocomplete: "off", spellcheck: "false",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => onsearch(box.value.trim().toLowerCase()), 120);
    },
  });
  return box;
}

/**
 * A long list, drawn a page at a time: `draw(item)` makes a node. Returns the
 * node to place and `show(items)`, which starts again from the first page.
 */
function pagedList(container, noun, draw, pageSize) {
  const status = el("p", { class: "count", role: "status" });
  const more = el("button", { class: "more", type: "button", onclick: () => extend(pageSize) });
  const cut = el("p", { class: "printed" });
  let items = [];
  let shown = 0;
  function extend(by) {
    const next = items.slice(shown, shown + by);
    const fresh = next.map(draw);
    container.append(...fresh);
    shown += next.length;
    const rest = items.length - shown;
    more.hidden = rest <= 0;
    more.textContent = "Show " + number(Math.min(rest, pageSize)) + " more of " + number(rest);
    cut.textContent = rest > 0 ? "Printed: the first " + number(shown) + " of " + plural(items.length, noun)
      + ". What is shown is what is printed; flowcinch render --format text --full prints all." : "";
    return fresh[0];
  }
  return {
    nodes: [status, container, more, cut],
    show(list, total) {
      items = list;
      shown = 0;
      container.replaceChildren();
      status.textContent = list.length === total
        ? plural(total, noun)
        : number(list.length) + " of " + plural(total, noun);
      extend(pageSize);
    },
    /** Draws as far as an item, so that it can be gone to. */
    reach(item) {
      const at = items.indexOf(item);
      if (at >= shown) extend(at + 1 - shown);
      return at >= 0;
    },
  };
}

/** A table; `columns` are [heading, class], rows are lists of cells. */
function table(caption, columns, rows) {
  const head = columns.map(([text, kind]) => el("th", { scope: "col", class: kind }, text));
  const body = rows.map((cells) => el("tr", null, cells.map((cell, at) => {
    const [label, kind] = columns[at];
    return at === 0
      ? el("th", { scope: "row", class: kind }, cell)
      : el("td", { class: kind, "data-label": label }, cell);
  })));
  return el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    el("table", { class: "stack" }, el("thead", null, el("tr", null, head)), el("tbody", null, body)));
}
