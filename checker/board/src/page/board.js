// Keeps the state of the room, and the keys.

import { connect } from "./link.js";
import { $, drawClass, drawStudent, forget, setNames } from "./draw.js";

// The most redraws are ten a second, however many verdicts come.
const REDRAW = 100;
const GREENS = 100;

const students = new Map();
let exercises = [];
let greens = [];
const changed = new Set();
let drawing;

function draw() {
  drawing = undefined;
  for (const number of changed) drawStudent(students.get(number), exercises);
  changed.clear();
  drawClass([...students.values()], greens);
}

function schedule() {
  drawing ??= setTimeout(draw, REDRAW);
}

function take(student) {
  const now = performance.now();
  students.set(student.number, {
    ...student,
    passed: [...student.outcomes].filter((outcome) => outcome === "p").length,
    presentSince: now - student.presence_age_ms,
    red: student.red && { check: student.red.check, since: now - student.red.age_ms },
  });
  changed.add(student.number);
}

function takeGreen(green) {
  greens.push({ ...green, since: performance.now() - green.age_ms });
  greens = greens.slice(-GREENS);
}

function restart(snapshot) {
  students.clear();
  changed.clear();
  forget();
  greens = [];
  exercises = [];
  snapshot.checks.forEach(({ id, exercise }, at) => {
    if (exercises.at(-1)?.name !== exercise) exercises.push({ name: exercise, from: at, to: at, ids: [] });
    exercises.at(-1).to = at + 1;
    exercises.at(-1).ids.push(id);
  });
  snapshot.students.forEach(take);
  snapshot.greens.forEach(takeGreen);
}

const TAKES = { snapshot: restart, student: take, green: takeGreen };

function heard(message) {
  TAKES[message.type]?.(message);
  if (message.type !== "beat") schedule();
}

function state(kind, words) {
  $("state").dataset.kind = kind;
  $("state").textContent = words;
  document.body.classList.toggle("stale", kind === "gone");
}

function names() {
  const hidden = $("names").getAttribute("aria-pressed") !== "true";
  $("names").setAttribute("aria-pressed", hidden);
  // A reload in front of the class must not show them again.
  sessionStorage.setItem("names", hidden ? "hidden" : "shown");
  setNames(!hidden);
  for (const number of students.keys()) changed.add(number);
  draw();
}

function large() {
  $("large").setAttribute("aria-pressed", document.documentElement.classList.toggle("large"));
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

const KEYS = { n: names, l: large, d: theme };

for (const [id, press] of [["names", names], ["large", large], ["theme", theme]]) $(id).onclick = press;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("command").textContent = `cargo checker watch --board ws://${location.host}${location.pathname.replace(/\/+$/, "")}`;
if (sessionStorage.getItem("names") === "hidden") names();
// Ages grow without a message.
setInterval(schedule, 1_000);
connect(heard, state);
