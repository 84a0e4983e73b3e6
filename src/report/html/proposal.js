// What to change in one direction of one group: the difference, the curve of
// exposure against rules, and why.

function proposalBody(proposal, group) {
  const [kind, trust] = TRUST[proposal.applicability] || ["warn", proposal.applicability];
  const parts = [el("h4", null, "Proposal, " + proposal.direction + ": ",
    DECISION[proposal.decision] || proposal.decision, " ",
    proposal.decision === "tighten" ? badge(kind, trust) : null)];
  if (proposal.decision === "tighten") {
    parts.push(el("p", { class: "note" }, sizes(proposal)), difference(proposal, group));
  }
  if (proposal.reasons.length > 0) {
    parts.push(el("details", { open: proposal.decision !== "tighten" },
      el("summary", null, "Why"),
      el("ul", { class: "plain" }, proposal.reasons.map((reason) => el("li", null, withCode(reason))))));
  }
  if ((proposal.curve || []).length > 1) {
    parts.push(el("details", { open: true },
      el("summary", null, "Exposure against number of rules"), curve(proposal)));
  }
  return parts;
}

function sizes(proposal) {
  const { exposure_before: before, exposure_after: after } = proposal;
  const exposure = before === after
    ? "Exposure unchanged"
    : "Exposure " + volume(before) + " to " + volume(after);
  const quota = proposal.quota_before === proposal.quota_after
    ? plural(proposal.quota_after, "rule") + " in the quota"
    : "rules in the quota " + proposal.quota_before + " to " + proposal.quota_after;
  const gap = proposal.optimality_gap >= 0.005
    ? "; within " + Math.ceil(proposal.optimality_gap * 100) + " % of the best possible" : "";
  return exposure + "; " + quota + gap + ".";
}

function difference(proposal, group) {
  const rules = new Map(group.rules.map((rule) => [rule.rule_id, rule]));
  const toward = proposal.direction === "ingress" ? "from" : "to";
  const line = (kind, sign, what, ...rest) =>
    el("li", { class: kind }, el("strong", null, sign), " ", code(what), " ", rest);
  const old = (id, note) => {
    const rule = rules.get(id);
    if (!rule) return line("out", "\u2212 today", id, note);
    return line("out", "\u2212 today", ruleService(rule), toward, " ", peer(rule.peer), rank(rule), "  ", code(id), note);
  };
  const replaced = new Set(proposal.rules.flatMap((rule) => rule.replaces));
  return el("ul", { class: "diff" },
    [...replaced].map((id) => old(id, "")),
    proposal.remove.map((id) => old(id, " remove: " + removal(rules.get(id)))),
    proposal.rules.map((rule) => line("in", "+ proposed", ruleService(rule), toward, " ", peer(rule.peer), rank(rule),
      "  " + plural(rule.records, "record"))),
    proposal.inner_access_policy ? el("li", null, el("strong", null, "~ members"), " intra-group policy Accept to Drop, after the rules") : null,
    proposal.keep.length > 0
      ? el("li", null, el("strong", null, "= stays"), " ", proposal.keep.map((id, at) => [at > 0 ? ", " : "", code(id)]))
      : null);
}

/** Effect and priority, where rules have ranks. */
function rank(rule) {
  const drops = rule.effect === "drop";
  if (rule.priority === undefined || rule.priority === null) return drops ? ", drop" : "";
  return ", " + (drops ? "drop" : "accept") + " at priority " + rule.priority;
}

function removal(rule) {
  return { unused: "no use seen", redundant: "redundant", shadowed: "shadowed", no_effect: "no effect" }[rule && rule.status] || "not needed";
}

/** Exposure (logarithmic) by number of rules; the proposal's point is filled. */
function curve(proposal) {
  const points = proposal.curve.map((point) => [point.rules, Math.max(1, Number(point.exposure))]);
  const [width, height, left, right, top, bottom] = [540, 220, 78, 16, 14, 40];
  const most = Math.max(...points.map(([rules]) => rules));
  const least = Math.min(...points.map(([rules]) => rules));
  const logs = points.map(([, exposure]) => Math.log10(exposure));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const x = (rules) => left + (width - left - right) * (most === least ? 0.5 : (rules - least) / (most - least));
  const y = (exposure) => top + (height - top - bottom) * (high === low ? 0.5 : (high - Math.log10(exposure)) / (high - low));
  const path = points.map(([rules, exposure], at) => (at === 0 ? "M" : "L") + x(rules).toFixed(1) + " " + y(exposure).toFixed(1)).join(" ");
  const taken = points.filter(([rules]) => rules <= proposal.quota_after).pop() || points[0];
  const words = plural(taken[0], "rule") + " open " + volume(String(proposal.exposure_after));
  return el("figure", { style: "margin:.4rem 0" },
    svg("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": curveText(proposal) },
      svg("line", { class: "axis", x1: left, y1: height - bottom, x2: width - right, y2: height - bottom }),
      svg("line", { class: "axis", x1: left, y1: top, x2: left, y2: height - bottom }),
      svg("path", { class: "path", d: path }),
      points.map(([rules, exposure]) => svg("circle", {
        class: "dot" + (rules === taken[0] ? " chosen" : ""), cx: x(rules), cy: y(exposure), r: rules === taken[0] ? 5 : 3,
      }, svg("title", null, plural(rules, "rule") + ": " + volume(String(exposure))))),
      svg("text", { x: left - 6, y: y(points[0][1]) + 4, "text-anchor": "end" }, volume(String(points[0][1]))),
      points.length > 1 && high > low && volume(String(points[0][1])) !== volume(String(points[points.length - 1][1]))
        ? svg("text", { x: left - 6, y: y(points[points.length - 1][1]) + 4, "text-anchor": "end" }, volume(String(points[points.length - 1][1])))
        : null,
      svg("text", { x: x(least), y: height - bottom + 16, "text-anchor": "middle" }, String(least)),
      most > least ? svg("text", { x: x(most), y: height - bottom + 16, "text-anchor": "middle" }, String(most)) : null,
      svg("text", { class: "soft", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "rules that count in the quota")),
    el("figcaption", { class: "note" }, "Filled: taken (" + words + "). A smaller quota moves it to the left."));
}

function curveText(proposal) {
  return "Least exposure by number of rules: " + proposal.curve
    .map((point) => point.rules + " rules " + volume(point.exposure)).join(", ");
}
