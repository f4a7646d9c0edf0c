// Draws the class and the lists beside it.

const STOPS = 8;
const LONGEST = 8;
const GREENS = 30;
const WORDS = { p: "passed", f: "failed", b: "waits for another check", u: "no verdict", n: "not started", ".": "no verdict yet" };

export const $ = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

export function age(since) {
  const seconds = Math.max(0, Math.floor((performance.now() - since) / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

let showsNames = true;
export const setNames = (on) => { showsNames = on; };
// A name is isolated: its direction must not turn the text around it.
const nameOf = (student) => make("bdi", {}, showsNames ? student.name : `student ${student.number}`);

const STATES = {
  vanished: (student) => `vanished ${age(student.presentSince)} ago`,
  left: (student) => `left ${age(student.presentSince)} ago`,
};

function standing(student) {
  const away = STATES[student.presence];
  if (away) return away(student);
  if (student.red) return `✗ ${student.red.check}, ${age(student.red.since)}`;
  if (student.passed === student.outcomes.length) return "✓ all passed";
  return /^[nbu.]*$/.test(student.outcomes) ? "not started" : "";
}

function strip(exercise, student) {
  const { name, from, to } = exercise;
  const outcomes = [...student.outcomes.slice(from, to)];
  const passed = outcomes.filter((outcome) => outcome === "p").length;
  const cells = outcomes.map((outcome, at) => make("i", { "data-outcome": outcome, title: `${exercise.ids[at]}: ${WORDS[outcome]}` }));
  const label = `${name}: ${passed} of ${outcomes.length} passed`;
  return make("span", { class: "exercise" },
    make("span", { class: "count", "aria-hidden": "true" }, `${name} ${passed}/${outcomes.length}`),
    make("span", { class: "strip", role: "img", "aria-label": label }, ...cells));
}

const rows = new Map();

export function drawStudent(student, exercises) {
  const row = rows.get(student.number) ?? make("li");
  rows.set(student.number, row);
  row.dataset.presence = student.presence;
  row.dataset.number = student.number;
  row.replaceChildren(
    make("span", { class: "name" }, nameOf(student)),
    make("span", { class: "strips" }, ...exercises.map((exercise) => strip(exercise, student))),
    make("span", { class: "standing" }, standing(student)));
}

export function forget() {
  rows.clear();
  $("students").replaceChildren();
}

const byProgress = (a, b) =>
  (b.presence === "here") - (a.presence === "here") || b.passed - a.passed || a.number - b.number;

// Sorts the rows, and draws the lists.
export function drawClass(students, greens) {
  const here = students.filter((student) => student.presence === "here");
  const away = students.length - here.length;
  $("count").textContent = `${here.length} here${away ? `, ${away} gone` : ""}`;
  $("empty").hidden = students.length > 0;
  students.sort(byProgress).forEach((student, at) => {
    const row = rows.get(student.number);
    if ($("students").children[at] !== row) $("students").insertBefore(row, $("students").children[at] ?? null);
    row.querySelector(".standing").textContent = standing(student);
  });

  const red = here.filter((student) => student.red);
  const counts = new Map();
  for (const { red: { check } } of red) counts.set(check, (counts.get(check) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, STOPS);
  $("stops").replaceChildren(...most.map(([check, count]) => make("li", {},
    make("span", {}, check),
    make("b", {}, `${count} of ${here.length}`),
    make("meter", { min: "0", max: String(here.length), value: String(count), "aria-hidden": "true" }))));

  const longest = red.sort((a, b) => a.red.since - b.red.since).slice(0, LONGEST);
  $("longest").replaceChildren(...longest.map((student) => make("li", {},
    make("span", { class: "name" }, nameOf(student)), make("span", {}, student.red.check), make("b", {}, age(student.red.since)))));

  $("greens").replaceChildren(...runs(greens).slice(0, GREENS).map((run) => make("li", {},
    make("span", { class: "name" }, nameOf(students.find((student) => student.number === run.number))),
    make("span", {}, run.checks.join(", ")),
    make("b", {}, `${age(run.since)} ago`))));
}

// Puts passes of one student that follow each other into one line. The newest line is the first.
function runs(greens) {
  const found = [];
  for (const green of greens) {
    const last = found.at(-1);
    const check = `${green.first ? "★ " : ""}${green.check}`;
    if (last?.number === green.number) {
      last.checks.push(check);
      last.since = green.since;
    } else {
      found.push({ number: green.number, checks: [check], since: green.since });
    }
  }
  return found.reverse();
}
