"use strict";
// Shows times in the reader's own zone, and changes of requests as they happen. Every page also works without it.
const page = document.body.dataset;
const lines = document.getElementById("lines");
const waiting = document.getElementById("waiting");

function localTimes(where) {
  for (const time of where.querySelectorAll("time"))
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  localTimes(template.content);
  return template.content.firstElementChild;
}

// Nobody loses what they have typed: a card that holds a comment, or the focus, stays until it is sent.
function inUse(one) {
  return one.contains(document.activeElement) || [...one.querySelectorAll("textarea, input[name=reason]")].some((text) => text.value);
}

function showCard(changed) {
  const old = document.getElementById("r" + changed.id);
  const isCard = old && old.tagName === "ARTICLE";
  if (changed.card) {
    const card = element(changed.card);
    if (isCard) return inUse(old) || old.replaceWith(card);
    if (old) old.remove();
    const until = Number(card.dataset.until), { from = 0, through = Infinity } = waiting.dataset;
    if (until < from || until > through) return; // It belongs on another page.
    // The most urgent first, as the server sorts them: no card above the new one moves.
    const next = [...waiting.children].find((other) => Number(other.dataset.until) > until);
    waiting.insertBefore(card, next || null);
  } else if (isCard) {
    const line = element(changed.line);
    line.setAttribute("role", "status");
    old.replaceWith(line);
  } else if (old) {
    old.replaceWith(element(changed.line));
  }
  document.getElementById("nothing").hidden = waiting.children.length > 0;
}

// Whether a request passes the filters of this page, as the server compares them.
function isWanted(found) {
  return Object.entries(JSON.parse(lines.dataset.wanted)).every(([name, value]) =>
    name === "text" ? found.text.some((text) => text.includes(value.toLowerCase())) : found[name].includes(value));
}

function showLine(changed) {
  const old = document.getElementById("r" + changed.id);
  if (old) return old.replaceWith(element(changed.line));
  const first = Number(lines.firstElementChild?.id.slice(1) || 0);
  if (isWanted(changed.found_by) && lines.dataset.first === "1" && changed.id > first) lines.prepend(element(changed.line));
  document.getElementById("nothing").hidden = lines.children.length > 0;
}

async function readMain() {
  const main = document.getElementById("main");
  if (inUse(main)) return;
  const read = await fetch(location.href);
  if (!read.ok) return;
  const fresh = new DOMParser().parseFromString(await read.text(), "text/html").getElementById("main");
  localTimes(fresh);
  main.replaceChildren(...fresh.childNodes);
  const goOn = main.querySelector("a[data-go-on]");
  if (goOn) location.replace(goOn.href);
}

// However much happens, the page is read only once at a time, and once more if something happened during a read.
let reading = null, changedMeanwhile = false;
function showAgain() {
  if (reading) return changedMeanwhile = true;
  changedMeanwhile = false;
  reading = readMain().finally(() => {
    reading = null;
    if (changedMeanwhile) showAgain();
  });
}

function show(message) {
  if (message.stale) return location.reload();
  const device = message.device || message.found_by.device[0];
  if (page.live === "device " + device || (page.live === "devices" && /^d[0-9a-f]{12}$/.test(device))) showAgain();
  if (message.device) return;
  if (waiting) showCard(message);
  else if (lines) showLine(message);
  else if (page.live === "request " + message.id) showAgain();
}

// One stream for each person in a browser, however many tabs: the tab that holds the lock has it, and tells the others.
function listen() {
  const tabs = new BroadcastChannel("live " + page.reader);
  tabs.onmessage = ({ data }) => {
    page.version = data.version;
    if (data.message) show(data.message);
  };
  const tell = (event, message) => {
    page.version = event.lastEventId;
    tabs.postMessage({ version: page.version, message });
    if (message) show(message);
  };
  const hold = (run) => (navigator.locks ? navigator.locks.request("live " + page.reader, run) : run());
  hold(() => new Promise(() => {
    const stream = new EventSource("/live?" + new URLSearchParams({ after: page.version, reader: page.reader }));
    stream.addEventListener("request", (event) => tell(event, JSON.parse(event.data)));
    stream.addEventListener("device", (event) => tell(event, { device: JSON.parse(event.data) }));
    stream.addEventListener("stale", (event) => tell(event, { stale: true }));
    stream.onmessage = (event) => tell(event);
    stream.onopen = () => { document.getElementById("away").hidden = true; };
    stream.onerror = () => {
      document.getElementById("away").hidden = false;
      // Refused for good, as after signing out: the page says where to go.
      if (stream.readyState === EventSource.CLOSED) location.reload();
    };
  }));
}

// Offers the devices that match what somebody types, and then shows who would have to agree.
function suggest(asking) {
  const { device, protocol } = asking.elements;
  device.addEventListener("input", async () => {
    const query = device.value;
    const read = await fetch("/requests/new/devices?" + new URLSearchParams({ query }));
    if (!read.ok || query !== device.value) return;
    const options = (await read.json()).map((name) => Object.assign(document.createElement("option"), { value: name }));
    document.getElementById("devices").replaceChildren(...options);
  });
  asking.addEventListener("change", async ({ target }) => {
    if (target !== device && target !== protocol) return;
    const typed = new URLSearchParams({ device: device.value, protocol: protocol.value });
    asking.dataset.last = typed;
    const read = await fetch("/requests/new?" + typed);
    const fresh = new DOMParser().parseFromString(await read.text(), "text/html").getElementById("who");
    if (fresh && asking.dataset.last === typed.toString()) document.getElementById("who").replaceWith(fresh);
  });
}

// A mistake in a policy names a line: a click on it selects that line in the text.
function selectLine(link) {
  link.addEventListener("click", (event) => {
    const text = document.getElementById("text");
    const before = text.value.split("\n").slice(0, link.dataset.line - 1).join("\n");
    const start = before.length + (link.dataset.line > 1 ? 1 : 0);
    const end = text.value.indexOf("\n", start);
    event.preventDefault();
    text.focus();
    text.setSelectionRange(start, end < 0 ? text.value.length : end);
    text.scrollTop = text.scrollHeight * (link.dataset.line - 5) / text.value.split("\n").length;
    text.scrollIntoView({ block: "nearest" });
  });
}

localTimes(document);
document.querySelectorAll("a[data-line]").forEach(selectLine);
const asking = document.getElementById("asking");
if (asking) suggest(asking);
if (page.live) listen();
