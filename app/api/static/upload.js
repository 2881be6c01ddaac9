// The upload page: files in -> a preview each -> one study sent -> its answer shown. Speaks only to this service's own interface.

import { showResult } from "./result.js";
import { unzip } from "./zip.js";

const MAX_FILES = 64, AT_ONCE = 2, BUSY = 503, UNAUTHENTICATED = 401, TRIES = 10;
const byId = (id) => document.getElementById(id);
const slots = [...document.querySelectorAll(".slot")];
const viewNames = Object.fromEntries(slots.map((slot) => [slot.dataset.view, slot.dataset.name]));
const maxBytes = Number(document.body.dataset.maxFileBytes) || 32 << 20;

const sources = { sender: "chosen by you", attribute: "from DICOM", screen: "from the screen" };

let items = []; // {file, state: "waiting"|"fine"|"refused", preview, says: [sentence], view, card}

// ---- files in

byId("files").addEventListener("change", (event) => take([...event.target.files], event.target));
byId("folder").addEventListener("change", (event) => take([...event.target.files], event.target));
byId("clear").addEventListener("click", clear);
byId("partial").addEventListener("change", show);
byId("analyse").addEventListener("click", submit);
for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => { event.preventDefault(); byId("drop").classList.add("over"); });
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => byId("drop").classList.remove("over"));
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  take(entries.length ? (await Promise.all(entries.map(filesOf))).flat() : [...event.dataTransfer.files]);
});

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (let batch = await readSome(reader); batch.length; batch = await readSome(reader)) found.push(...batch);
  return (await Promise.all(found.map(filesOf))).flat();
}

const readSome = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

async function take(files, picker) {
  say("");
  try {
    const opened = await Promise.all(files.map(async (file) => (await isZip(file)) ? unzip(file, MAX_FILES, maxBytes) : [file]));
    const chosen = opened.flat().filter((file) => file.size && !file.name.startsWith(".") && file.name !== "DICOMDIR");
    if (items.length + chosen.length > MAX_FILES) throw new Error(`${chosen.length} files are too many. Choose at most ${MAX_FILES}: the four views of one study.`);
    const fresh = chosen.map((file) => ({ file, state: "waiting", preview: null, says: [], view: "" }));
    items.push(...fresh);
    byId("slots-section").hidden = items.length === 0;
    await look(fresh);
  } catch (error) {
    say(error.message, true);
  }
  if (picker) picker.value = "";
}

async function isZip(file) {
  return new TextDecoder().decode(await file.slice(0, 4).arrayBuffer()) === "PK\x03\x04";
}

// ---- a preview each

async function look(fresh) {
  const queue = [...fresh];
  const worker = async () => { for (let item = queue.shift(); item; item = queue.shift()) { await preview(item); show(); } };
  show();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function preview(item) {
  if (item.file.problem) return refuse(item, [item.file.problem]);
  if (item.file.size > maxBytes) return refuse(item, [`The file is larger than ${maxBytes >> 20} MiB. Choose a single or a compressed frame.`]);
  const form = new FormData();
  form.append("file", item.file, "file.dcm"); // never the sender's file name: it may be a patient's
  try {
    const answer = await send("/v1/previews", form);
    if (!answer.ok) return refuse(item, sentences(await answer.json()));
    item.preview = await answer.json();
    item.state = "fine";
    item.view = item.preview.view ?? "";
    item.says = item.preview.warnings.map((warning) => warning.detail);
  } catch (error) {
    refuse(item, [unreachable(error)]);
  }
}

function refuse(item, says) {
  item.state = "refused";
  item.says = says;
}

/** Send a form; a service that is busy says when to come back, one that has no bundle does not. */
async function send(path, form) {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(document.body.dataset.rootPath + path, { method: "POST", body: form });
    byId("signed-out").hidden = answer.status !== UNAUTHENTICATED;
    const pause_s = Number(answer.headers.get("Retry-After"));
    if (answer.status !== BUSY || !pause_s || tries === TRIES) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause_s));
  }
}

const sentences = (problem) => (problem.errors ?? [problem]).map((each) => each.detail);
const unreachable = (error) => `The service does not answer (${error.name}). Try again in a moment.`;

// ---- what is there

function show() {
  const waiting = items.filter((item) => item.state === "waiting").length;
  byId("reading").textContent = waiting ? `Looking at ${waiting} of ${items.length} files …` : items.length ? `${items.length} files looked at.` : "";
  const focused = document.activeElement;
  for (const slot of slots) {
    const here = items.filter((item) => item.state === "fine" && item.view === slot.dataset.view);
    slot.classList.toggle("filled", here.length > 0);
    place(slot, here);
  }
  const others = items.filter((item) => item.state === "refused" || (item.state === "fine" && !item.view));
  byId("result").hidden = true; // it is of what was there before
  byId("others-title").hidden = others.length === 0;
  place(byId("others"), others);
  if (focused?.isConnected) focused.focus(); // a card that moves loses it
  hint();
}

/** Put exactly these items into a container, each card as it was drawn. */
function place(container, here) {
  for (const card of container.querySelectorAll(".file")) if (!here.some((item) => item.card === card)) card.remove();
  for (const item of here) {
    item.card ??= draw(item);
    if (item.card.parentElement !== container) container.append(item.card);
  }
}

function draw(item) {
  const card = element("div", { className: "file" });
  if (item.preview) card.append(element("img", { src: item.preview.thumbnail, alt: `Tissue of ${item.file.name}` }));
  card.append(element("p", { className: "name", textContent: item.file.name }));
  for (const says of item.says) card.append(element("p", { className: item.state === "refused" ? "says problem" : "says soft", textContent: says }));
  const row = element("div", { className: "row" });
  if (item.preview) row.append(viewPicker(item, card.appendChild(sourceMark(item))));
  const remove = element("button", { className: "remove", type: "button", textContent: "✕" });
  remove.setAttribute("aria-label", `Remove ${item.file.name}`);
  remove.addEventListener("click", () => { items = items.filter((each) => each !== item); show(); byId("files").focus(); });
  row.append(remove);
  card.append(row);
  return card;
}

function viewPicker(item, mark) {
  const picker = element("select", {});
  picker.setAttribute("aria-label", `View of ${item.file.name}`);
  picker.append(new Option("not used: choose its view", ""));
  for (const [view, name] of Object.entries(viewNames)) picker.append(new Option(name, view));
  picker.value = item.view;
  picker.addEventListener("change", () => { item.view = picker.value; mark.textContent = sourceOf(item); show(); });
  return picker;
}

/** Whether a view was chosen by hand: the form field says so; of the others the service reads the view again. */
const isChosen = (item) => item.view !== (item.preview.view ?? "");

const sourceMark = (item) => element("p", { className: "source", textContent: sourceOf(item) });

/** Say what told the view of an image. */
function sourceOf(item) {
  if (!item.view) return "";
  return sources[isChosen(item) ? "sender" : item.preview.view_source];
}

const element = (name, properties) => Object.assign(document.createElement(name), properties);

// ---- whether it can be sent

function obstacles() {
  const used = items.filter((item) => item.state === "fine" && item.view);
  const byView = Object.groupBy ? Object.groupBy(used, (item) => item.view) : group(used);
  const found = [];
  for (const [view, here] of Object.entries(byView)) if (here.length > 1) found.push(`${here.length} files are ${viewNames[view]}: keep one, or choose another view for the others.`);
  if (new Set(used.map((item) => item.preview.study_instance_uid)).size > 1) found.push("The files belong to different studies. Keep those of one.");
  const missing = Object.keys(viewNames).filter((view) => !byView[view]);
  if (missing.length && !(byId("partial").checked && used.length)) found.push(`Missing: ${missing.map((view) => viewNames[view]).join(", ")}.`);
  return found;
}

function group(used) {
  const groups = {};
  for (const item of used) (groups[item.view] ??= []).push(item);
  return groups;
}

function hint() {
  const isLooking = items.some((item) => item.state === "waiting");
  const found = obstacles();
  byId("analyse").disabled = isLooking || found.length > 0;
  say(isLooking ? "" : found.length ? found.join("\n") : "Ready to be analysed.");
}

function say(sentence, isProblem = false) {
  const where = byId("slots-section").hidden ? byId("reading") : byId("hint");
  where.textContent = sentence;
  where.classList.toggle("problem", isProblem);
}

// ---- the study

async function submit() {
  const form = new FormData();
  for (const item of items.filter((each) => each.state === "fine" && each.view)) form.append(isChosen(item) ? item.view : "instances", item.file, `${item.view}.dcm`);
  if (byId("partial").checked) form.append("allow_partial", "true");
  busy(true);
  try {
    const answer = await send("/v1/analyses", form);
    const body = await answer.json();
    if (answer.ok) { say("Analysed."); showResult(body, viewNames); } else say(sentences(body).join("\n"), true);
  } catch (error) {
    say(unreachable(error), true);
  }
  busy(false);
}

function busy(is) {
  byId("progress").hidden = !is;
  byId("analyse").disabled = is;
  if (is) say("The study is analysed …");
}

function clear() {
  items = [];
  byId("partial").checked = false;
  show();
  byId("slots-section").hidden = true;
  byId("files").focus();
}
