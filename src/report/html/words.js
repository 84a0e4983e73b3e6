// Words and numbers as the text report has them.

const STATUS = {
  used: ["good", "used"],
  redundant: ["warn", "redundant"],
  unused: ["warn", "unused"],
  shadowed: ["warn", "shadowed"],
  unobservable: ["cool", "not observable"],
  undecided: ["cool", "undecided"],
  no_effect: ["warn", "no effect"],
};
const TIER = {
  U0: "cannot tell", U1: "not observed", U2: "probably unused",
  U3: "removal candidate", U4: "removal candidate, yearly jobs included",
};
const CAUSE = {
  security_group: "security group", network_acl: "network ACL", both: "security group and network ACL",
  block_public_access: "Block Public Access", unexplained: "not explained by the configuration",
};
const VERDICT = {
  misconfiguration: ["bad", "looks wanted"], unclear: ["warn", "unclear"],
  expected: ["cool", "expected"], noise: ["", "noise"],
};
const TRUST = {
  apply: ["good", "may be applied"], review: ["warn", "review before applying"],
  report_only: ["warn", "to read, not to apply"],
};
const DECISION = {
  tighten: "tighten", keep: "keep as it is", insufficient_evidence: "too little evidence to propose",
};

function number(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function plural(count, noun) {
  return number(count) + " " + noun + (count === 1 ? "" : "s");
}

/** A volume given as a decimal of any length: `65,536`, `4.3 billion`, `1.2e24`. */
function volume(decimal) {
  if (decimal.length < 7) return number(decimal);
  const value = Number(decimal);
  if (value >= 1e15) return value.toExponential(1).replace("e+", "e");
  for (const [unit, word] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (value >= unit) return (value / unit).toFixed(1) + " " + word;
  }
  return number(decimal);
}

/** A name cut in the middle where it is long; whoever shows it keeps the whole as a title. */
function clipped(name) {
  const letters = [...name];
  return letters.length <= 80 ? name : letters.slice(0, 60).join("") + "\u2026" + letters.slice(-19).join("");
}

function time(text) {
  return text ? text.slice(0, 10) + " " + text.slice(11, 16) : "";
}

/** First and last time, once where they are the same. */
function times(first, last) {
  return time(first) + (time(first) === time(last) ? "" : " to " + time(last));
}

/** What became of a rule; of U0 nothing is claimed. */
function statusOf(rule) {
  return rule.status === "unused" && rule.tier === "U0" ? "undecided" : rule.status;
}

function day(text) {
  return text ? text.slice(0, 10) : "";
}

function service(protocol, from, to) {
  const icmp = protocol === "icmp" || protocol === "icmpv6";
  if (/^\d+$/.test(protocol)) return "protocol " + protocol;
  if (from === null || from === undefined || from === -1) return protocol;
  if (icmp) return protocol + "/" + from + (to === null || to === -1 ? "" : "/" + to);
  if (from === 0 && to === 65535) return protocol + "/all";
  return protocol + "/" + (from === to ? from : from + "-" + to);
}

/** Far sides of talks that are no group, by what they are called in the data. */
const ZONE = {
  internet: "the Internet",
  private: "private addresses of no known interface",
  no_group: "interfaces without groups",
};
