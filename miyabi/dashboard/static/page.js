// What the reader does with the page, and the times that count on.

const root = document.documentElement;
const still = "still" in document.body.dataset ? Date.parse(document.body.dataset.at) : null;

// --- Times ---------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const DAY = 86_400;

const two = (number) => String(number).padStart(2, "0");
const day = (moment) => `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;

function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 12 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 7 ? `${days} d ${hours % 24} h` : `${days} d`;
}

function onTheClock(moment, now) {
  const days = Math.abs(new Date(day(moment)) - new Date(day(now))) / 1000 / DAY;
  if (days === 0) return clock.format(moment);
  return days < 7 ? `${weekday.format(moment)} ${clock.format(moment)}` : `${day(moment)} ${clock.format(moment)}`;
}

function ago(seconds) {
  if (Math.abs(seconds) < 2) return "just now";
  return seconds > 0 ? `${lasting(seconds)} ago` : `in ${lasting(-seconds)}`;
}

function inWords(moment, how, now) {
  const seconds = (now - moment) / 1000;
  if (how === "age") return ago(seconds);
  if (how === "for") return `for ${lasting(seconds)}`;
  if (how === "full") return `${day(moment)} ${clock.format(moment)}`;
  if (how === "clock") return onTheClock(moment, now);
  return `${onTheClock(moment, now)}, ${ago(seconds)}`;
}

function countOn() {
  const now = still === null ? new Date() : new Date(still);
  for (const each of document.getElementsByTagName("time")) {
    const moment = new Date(each.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const words = inWords(moment, each.dataset.how, now);
    if (each.textContent !== words) each.textContent = words;
    if (!each.title) each.title = moment.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

// --- The filter ----------------------------------------------------------------------------------------------------

const field = document.getElementById("filter");
const found = document.getElementById("found");

function filter() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let hosts = 0;
  let shown = 0;
  for (const each of document.querySelectorAll("[data-filtered]")) {
    const text = words.length ? each.textContent.toLowerCase() : "";
    const fits = words.every((word) => text.includes(word));
    each.hidden = !fits;
    if (each.classList.contains("card")) {
      hosts += 1;
      shown += fits;
    }
  }
  found.hidden = words.length === 0;
  found.textContent = `${shown} of ${hosts} hosts`;
}

field.addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "Escape" && field.value && !event.isComposing) {
    field.value = "";
    filter();
  }
});

// --- The theme -----------------------------------------------------------------------------------------------------

const button = document.getElementById("theme");
const THEMES = ["system", "light", "dark"];
const chosen = () => root.dataset.theme ?? "system";

function say() {
  button.textContent = `Theme: ${chosen()}`;
  document.dispatchEvent(new CustomEvent("miyabi:theme"));
}

button.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    localStorage.setItem("miyabi-theme", next);
  } catch {
    // It lasts as long as the page, then.
  }
  say();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);

// --- Paper ---------------------------------------------------------------------------------------------------------

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of opened) each.open = false;
});

document.addEventListener("miyabi:changed", () => {
  countOn();
  filter();
});
say();
countOn();
filter();
if (still === null) setInterval(countOn, 1000);
