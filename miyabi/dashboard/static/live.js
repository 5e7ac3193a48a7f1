// What keeps the page up to date: htmx swaps the parts that the server sends, idiomorph leaves alone what did not change.

const lost = document.getElementById("lost");
// Milliseconds between two questions whether the server still answers: a connection may be dead and not say so.
const ASK_EVERY = 10_000;

let source = null;
let freshAt = Date.now();
let isLost = false;

function told(state) {
  isLost = state;
  lost.hidden = !state;
  if (!state) {
    freshAt = Date.now();
    return;
  }
  if (!lost.firstChild) {
    const since = document.createElement("time");
    since.dataset.how = "both";
    lost.append("Connection lost. What is shown is as it was ", since, "; trying again by itself.");
  }
  lost.querySelector("time").dateTime = new Date(freshAt).toISOString();
  document.dispatchEvent(new CustomEvent("miyabi:changed"));
}

const create = (url) => {
  source = new EventSource(url);
  source.addEventListener("open", () => told(false));
  source.addEventListener("error", () => isLost || told(true));
  return source;
};

async function ask() {
  if (document.hidden) return;
  try {
    // Whatever it says: it answers, and why what it shows may be old stands on the page.
    await fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(5_000) });
  } catch {
    if (!isLost) told(true);
    return;
  }
  if (source?.readyState === EventSource.OPEN) told(false);
}

if (globalThis.htmx) {
  htmx.createEventSource = create;
  const morphing = globalThis.Idiomorph.defaults.callbacks;
  // What the reader has opened stays open.
  morphing.beforeAttributeUpdated = (name, node) => !(name === "open" && node instanceof HTMLDetailsElement);
  // A chart is drawn into its place: new numbers are all that it takes from the server.
  morphing.beforeNodeMorphed = (old, fresh) => {
    if (!(old instanceof HTMLElement) || !old.classList.contains("plot") || !(fresh instanceof HTMLElement)) return true;
    for (const name of ["aria-label", "data-numbers"]) {
      const value = fresh.getAttribute(name);
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    return false;
  };
  document.addEventListener("htmx:afterSwap", () => document.dispatchEvent(new CustomEvent("miyabi:changed")));
  setInterval(ask, ASK_EVERY);
  document.addEventListener("visibilitychange", ask);
}
