// Opens the HTML reports of a folder in Chromium and holds them to what a
// person would: no console message, no request, nothing obeyed that only
// looks like markup, lists that search and filter, links that lead somewhere,
// no sideways scrolling, a thousand groups on the screen in two seconds, and
// valid HTML. Usage: TOOLS=node_modules node report.mjs FOLDER [PICTURES]

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(path.resolve(process.env.TOOLS), "x"));
const { chromium } = require("playwright-core");
const { HtmlValidate } = require("html-validate");
const [folder, pictures] = process.argv.slice(2);
const failures = [];

function hold(what, holds, seen) {
  if (!holds) failures.push(what + (seen === undefined ? "" : ": " + JSON.stringify(seen)));
}

async function open(browser, name, options) {
  const page = await browser.newPage(options);
  page.on("console", (message) => failures.push(name + ": console: " + message.text()));
  page.on("pageerror", (error) => failures.push(name + ": error: " + error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:")) failures.push(name + ": asked for " + request.url());
  });
  await page.goto("file://" + path.resolve(folder, name + ".html"));
  await page.waitForSelector("html[data-ready=yes]", { timeout: 30000 });
  return page;
}

async function everyView(browser, name) {
  for (const width of [1400, 400]) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(browser, name, { viewport: { width, height: 900 }, colorScheme });
      for (const row of (await page.$$("#groups details.row, #findings details.row:first-of-type")).slice(0, 3)) await row.evaluate((one) => { one.open = true; });
      const across = await page.evaluate(() => document.documentElement.scrollWidth);
      hold(name + " fits " + width + " pixels", across <= width, across);
      for (const pair of await poorContrast(page)) failures.push(name + " " + colorScheme + " contrast: " + pair);
      if (pictures) await page.screenshot({ path: path.join(pictures, [name, width, colorScheme].join("-") + ".png"), fullPage: name !== "thousand" });
      await page.close();
    }
  }
}

/** Text that is harder to read than WCAG 2.2 AA allows (4.5 to 1). */
function poorContrast(page) {
  return page.evaluate(() => {
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
    const light = (color) => {
      const [r, g, b] = color.map((part) => { const c = part / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const poor = new Set();
    for (const node of document.querySelectorAll("body *")) {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
      if (!own || node.closest("svg, script, noscript, [hidden]") || !node.getClientRects().length) continue;
      const layers = [];
      for (let one = node; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
      const ground = layers.reverse().reduce((below, layer) => over(layer, below), parse(getComputedStyle(document.body).backgroundColor));
      const [a, b] = [light(over(parse(getComputedStyle(node).color), ground)), light(ground)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) poor.add(node.tagName + "." + node.className + " " + ratio.toFixed(2));
    }
    return [...poor];
  });
}

async function searching(browser) {
  const page = await open(browser, "thousand", { viewport: { width: 1400, height: 900 } });
  const status = () => page.textContent("#groups [role=status]");
  hold("all groups are counted", await status() === "1,000 groups", await status());
  hold("a page of them is drawn", await page.locator("#groups details.row").count() === 100);
  await page.fill("#groups input[type=search]", "billing-db");
  await page.waitForFunction(() => document.querySelector("#groups [role=status]").textContent.includes(" of "));
  const names = await page.locator("#groups details.row .name").allTextContents();
  const named = names.filter((name) => name.includes("billing-db"));
  hold("the search finds what has the name", named.length > 0, names.slice(0, 3));
  // Others are found by a rule that names such a group.
  const found = parseInt(await status(), 10);
  hold("the search leaves out the rest", found > 0 && found < 500, await status());
  await page.fill("#groups input[type=search]", "no such group");
  await page.waitForFunction(() => document.querySelector("#groups [role=status]").textContent.startsWith("0 of"));
  await page.fill("#groups input[type=search]", "");
  await page.locator("#groups select").first().selectOption("tighten");
  await page.waitForFunction(() => document.querySelector("#groups [role=status]").textContent === "500 of 1,000 groups");
  // A link to a group that the filter hides clears the filter.
  await page.evaluate(() => { location.hash = "group=sg-" + "1".padStart(17, "0"); });
  await page.waitForSelector("details.row[open] table");
  hold("a link opens its group", (await page.textContent("details.row[open] .name")).includes("search-app-1"));
  // Findings: counted, worst first, found by id and by control.
  const findings = () => page.textContent("#findings [role=status]");
  hold("all findings are counted", /^[\d,]+ findings$/.test(await findings()), await findings());
  const severities = await page.locator("#findings details.row .badge:first-child").allTextContents();
  hold("the worst come first", severities.every((one) => one === severities[0]) && severities[0] !== "info", severities.slice(0, 3));
  await page.locator("#findings details.row summary").first().click();
  const id = await page.locator("#findings details.row[open] .body code").first().textContent();
  hold("a finding has its id", /^fc-[0-9a-f]{16}$/.test(id), id);
  await page.fill("#findings input[type=search]", id);
  await page.waitForFunction(() => document.querySelector("#findings [role=status]").textContent.startsWith("1 of"));
  await page.fill("#findings input[type=search]", "");
  await page.waitForFunction(() => !document.querySelector("#findings [role=status]").textContent.includes(" of "));
  await page.locator("#findings select").nth(1).selectOption("SG101");
  await page.waitForFunction(() => document.querySelector("#findings [role=status]").textContent.includes(" of "));
  const codes = await page.locator("#findings details.row .badge:nth-child(2)").allTextContents();
  hold("a code is chosen", codes.length > 0 && codes.every((one) => one.startsWith("SG101 ")), codes.slice(0, 3));
  await page.locator("#rejects select").selectOption("noise");
  await page.waitForFunction(() => /of 2,000 REJECTs$/.test(document.querySelector("#rejects [role=status]").textContent));
  // The map: a name opens what it stands for, a number lists it.
  const before = await page.locator("#map .matrix tbody tr").count();
  hold("the matrix stays small", before > 3 && before <= 40, before);
  await page.locator("#map .matrix tbody td button").first().click();
  hold("a number lists its pairs", await page.locator("#map table.stack tbody tr").count() > 0);
  await page.locator("#map .matrix tbody th button").first().click();
  hold("one can go back", await page.locator("#map .crumbs button").count() === 1);
  await page.evaluate(() => { location.hash = "talks=sg-" + "5".padStart(17, "0"); });
  await page.waitForFunction(() => document.querySelector("#map .hub").textContent.includes("billing-web-5"));
  await page.fill("#map input[type=text]", "no such group");
  await page.keyboard.press("Enter");
  hold("an unknown group is said", (await page.textContent("#map [role=status]")).startsWith("No group"));
  await page.fill("#map input[type=text]", "billing");
  await page.keyboard.press("Enter");
  hold("several that fit are said", (await page.textContent("#map [role=status]")).includes("the first is shown"));
  await page.evaluate(() => { location.hash = "talks=sg-" + "5".padStart(17, "0"); });
  await page.waitForFunction(() => document.querySelector("#map .hub").textContent.includes("billing-web-5"));
  hold("lines lead to neighbours", await page.locator("#map .ego svg path").count() > 0);
  await page.close();
}

/** What is printed at once is whole, and says where it is cut. */
async function printing(browser) {
  const page = await open(browser, "thousand", { viewport: { width: 1400, height: 900 } });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  const bare = await page.evaluate(() => [...document.querySelectorAll("details")]
    .filter((one) => !one.open || (one.matches(".row") && !one.querySelector(".body").hasChildNodes())).length);
  hold("all that is drawn is printed with its inside", bare === 0, bare);
  hold("rules are printed", await page.locator("#groups details.row table").count() >= 100);
  const notes = await page.locator(".printed").allTextContents();
  hold("print says where lists are cut", notes.some((note) => note.startsWith("Printed: the first 100 of 1,000 groups")), notes);
  await page.close();
}

async function keyboard(browser) {
  const page = await open(browser, "small", { viewport: { width: 1400, height: 900 } });
  await page.keyboard.press("Tab");
  hold("the first stop skips to the answer", await page.evaluate(() => document.activeElement.className) === "skip");
  await page.locator("#groups details.row summary").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#groups details.row[open] table");
  const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select, a")]
    .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.closest("label"))).length);
  hold("every control has a name", unnamed === 0, unnamed);
  await page.close();
}

async function hostile(browser) {
  const page = await open(browser, "hostile", { viewport: { width: 1400, height: 900 } });
  await page.evaluate(() => { for (const row of document.querySelectorAll("details")) row.open = true; });
  await page.waitForTimeout(200);
  hold("nothing ran", !(await page.title()).includes("owned"), await page.title());
  hold("no picture was made", await page.locator("img").count() === 0);
  hold("the text is shown", (await page.textContent("#groups")).includes("</script><script>document.title='owned'"));
  await page.close();
}

/** Without scripts the page still has the answer and the worst findings. */
async function unscripted(browser) {
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto("file://" + path.resolve(folder, "small.html"));
  const text = await page.textContent("body");
  hold("the answer stands without a script", text.includes("Largest openings"));
  hold("findings stand without a script", await page.locator("#worst tbody tr").count() > 0);
  await page.close();
}

async function quick(browser) {
  const times = [];
  for (let round = 0; round < 3; round += 1) {
    const begun = Date.now();
    const page = await open(browser, "thousand", { viewport: { width: 1400, height: 900 } });
    times.push(Date.now() - begun);
    await page.close();
  }
  console.log("a thousand groups, milliseconds to the drawn page: " + times.join(", "));
}

async function valid(name) {
  const validate = new HtmlValidate({ extends: ["html-validate:standard"] });
  const report = await validate.validateString(readFileSync(path.join(folder, name + ".html"), "utf8"));
  for (const result of report.results) {
    for (const message of result.messages) failures.push(name + " is no valid HTML: line " + message.line + ": " + message.ruleId + ": " + message.message);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const name of ["small", "hostile", "thousand"]) await everyView(browser, name);
  await searching(browser);
  await printing(browser);
  await keyboard(browser);
  await hostile(browser);
  await unscripted(browser);
  await quick(browser);
  for (const name of ["small", "hostile"]) await valid(name);
} finally {
  await browser.close();
}
if (failures.length > 0) {
  console.error([...new Set(failures)].join("\n"));
  process.exit(1);
}
console.log("all held");
