// Unpacks the data, draws the sections, follows links.

let model = null;

async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** The data with what every list asks for, worked out once. */
function modelOf(data) {
  const groups = new Map(data.security_groups.map((group) => [group.group_id, group]));
  const facts = new Map(data.security_groups.map((group) => [group.group_id, {
    proposals: [], tightens: [], applies: false, before: 0, after: 0, known: false, rejects: 0,
    findings: group.rules.filter((rule) => !["used", "unobservable", "undecided"].includes(statusOf(rule))).length,
  }]));
  for (const proposal of data.proposals) {
    const of = facts.get(proposal.group_id);
    if (!of) continue;
    of.proposals.push(proposal);
    of.known = true;
    of.before += Number(proposal.exposure_before);
    const applies = proposal.decision === "tighten" && proposal.applicability !== "report_only";
    of.after += Number(applies ? proposal.exposure_after : proposal.exposure_before);
    of.applies = of.applies || applies;
    if (proposal.decision === "tighten") of.tightens.push(proposal);
  }
  for (const reject of data.rejects) {
    if (reject.verdict !== "misconfiguration" && reject.verdict !== "unclear") continue;
    for (const id of reject.group_ids) if (facts.has(id)) facts.get(id).rejects += 1;
  }
  for (const of of facts.values()) of.findings += of.tightens.length + of.rejects;
  const highest = Math.max(1, ...[...facts.values()].map((of) => Math.log10(Math.max(1, of.before))));
  return { window: data.window, findings: data.findings, codes: data.codes, controls: data.controls, groups, list: data.security_groups, facts, highest, rejects: data.rejects, talks: data.talks || [] };
}

function follow(lists) {
  const [kind, id] = decodeURIComponent(location.hash.slice(1)).split(/=(.*)/s);
  if (kind === "group") lists.groups.open(id);
  if (kind === "talks") lists.map.open(id);
}

async function start() {
  model = modelOf(await unpack());
  const section = (id) => document.getElementById(id);
  findingList(section("findings"));
  const lists = { groups: groupList(section("groups")), rejects: rejectList(section("rejects")), map: talkMap(section("map")) };
  addEventListener("hashchange", () => follow(lists));
  addEventListener("beforeprint", openAll);
  follow(lists);
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.hidden = false;
  trouble.textContent = "The lists cannot be drawn in this browser (" + error.message
    + "). The answer, the worst findings and the coverage are complete; a browser of 2023 or later draws the rest.";
});
