// Draws each chart when it comes into view, and again when its numbers or the theme change.

const drawn = new WeakMap();
const colours = ["--line-mean", "--line-far", "--band", "--forecast", "--forecast-band", "--bad", "--muted", "--grid"];

// A custom property says which colour; only an element knows which one that is in this theme.
function palette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const found = {};
  for (const name of colours) {
    probe.style.color = `var(${name})`;
    found[name.slice(2)] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

const two = (number) => String(number).padStart(2, "0");
const time = (moment) => `${two(moment.getHours())}:${two(moment.getMinutes())}`;
const date = (moment) => `${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
const percent = (value) => (value === null || value === undefined ? "unknown" : `${value.toFixed(1)} %`);

// What was measured and what is foretold, on one axis.
function columns(told) {
  const rest = (values) => [...values, ...told.ahead.map(() => null)];
  const ahead = (values) => [...told.at.map(() => null), ...values];
  const value = ahead(told.value);
  const low = ahead(told.low);
  const high = ahead(told.high);
  const last = told.at.length - 1;
  if (last >= 0 && told.ahead.length) value[last] = low[last] = high[last] = told.mean[last];
  return [[...told.at, ...told.ahead], rest(told.mean), rest(told.far), value, low, high];
}

// The part of 0 to 100 percent that has anything in it, with some air; what hardly moves is not blown up.
function span(told) {
  const values = [...told.mean, ...told.far, ...told.low, ...told.high, told.limit].filter((each) => each !== null);
  if (!values.length) return [0, 100];
  const tens = (value, round) => Math.min(100, Math.max(0, 10 * round(value / 10)));
  const low = tens(Math.min(...values) - 4, Math.floor);
  const high = tens(Math.max(...values) + 4, Math.ceil);
  return high - low >= 40 ? [low, high] : [Math.max(0, Math.min(low, 60)), Math.min(100, Math.max(high, low + 40))];
}

// From the first look to the last that is foretold; one look alone is a point in an hour, and not in all of time.
function stretch(told) {
  const moments = [...told.at, ...told.ahead];
  const [from, to] = [moments[0], moments.at(-1)];
  return to - from >= 3600 ? [from, to] : [to - 3600, to + 600];
}

function options(place, told, colour) {
  const line = (stroke, width, dash) => ({ stroke, width, dash, points: { show: false }, spanGaps: false });
  const short = told.at.length < 3 ? { show: true, size: 5 } : { show: false };
  return {
    width: Math.max(120, place.clientWidth),
    height: 150,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    padding: [6, 8, 0, 0],
    scales: { x: { time: true, range: () => stretch(told) }, y: { range: () => span(told) } },
    axes: [
      {
        stroke: colour.muted,
        grid: { stroke: colour.grid, width: 1 },
        ticks: { show: false },
        size: 28,
        space: 64,
        values: (_, splits, __, ___, step) =>
          splits.map((each) => (step < 86400 ? time(new Date(each * 1000)) : date(new Date(each * 1000)))),
      },
      {
        stroke: colour.muted,
        grid: { stroke: colour.grid, width: 1 },
        ticks: { show: false },
        size: 38,
        space: 28,
        incrs: [5, 10, 20, 25, 50],
        values: (_, splits) => splits.map((each) => `${each}`),
      },
    ],
    series: [
      {},
      { ...line(colour["line-mean"], 1.75), points: short },
      line(colour["line-far"], 1),
      line(colour.forecast, 1.5, [5, 4]),
      line("transparent", 0),
      line("transparent", 0),
    ],
    bands: [
      { series: told.shrinks ? [1, 2] : [2, 1], fill: colour.band },
      { series: [5, 4], fill: colour["forecast-band"] },
    ],
    hooks: {
      draw: [(chart) => limits(chart, told, colour)],
      setCursor: [(chart) => read(place, chart, told)],
    },
  };
}

// The limit across all of it, and where it is reached.
function limits(chart, told, colour) {
  if (told.limit === null) return;
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio || 1;
  const y = chart.valToPos(told.limit, "y", true);
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour.bad;
  ctx.lineWidth = ratio;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  if (told.crosses !== null) {
    const x = chart.valToPos(told.crosses, "x", true);
    if (x >= bbox.left && x <= bbox.left + bbox.width) {
      ctx.beginPath();
      ctx.arc(x, y, 4 * ratio, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
  ctx.restore();
}

// What the pointer is at, in words, where the forecast's words stand otherwise.
function read(place, chart, told) {
  const output = place.parentElement?.querySelector(".at");
  if (!output) return;
  const index = chart.cursor.idx;
  if (index === null || index === undefined || chart.cursor.left < 0) {
    output.textContent = "";
    return;
  }
  const moment = new Date(chart.data[0][index] * 1000);
  const [, mean, far, value, low, high] = chart.data.map((each) => each[index]);
  const said =
    index < told.at.length
      ? `${percent(mean)} (${told.shrinks ? "down" : "up"} to ${percent(far)})`
      : `${percent(value)} foretold (${percent(low)} to ${percent(high)})`;
  output.textContent = `${date(moment)} ${time(moment)}: ${said}`;
}

function draw(place) {
  const before = drawn.get(place);
  const numbers = place.dataset.numbers;
  const theme = getComputedStyle(place).color;
  if (before && before.numbers === numbers && before.theme === theme) return;
  before?.chart.destroy();
  const told = JSON.parse(numbers);
  const chart = new uPlot(options(place, told, palette()), columns(told), place);
  drawn.set(place, { chart, numbers, theme });
  place.dataset.drawn = "";
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      entry.target.dataset.seen = entry.isIntersecting ? "yes" : "";
      if (entry.isIntersecting) draw(entry.target);
    }
  },
  { rootMargin: "200px" },
);
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const width = Math.floor(entry.contentRect.width);
    const known = drawn.get(entry.target);
    if (known && width > 0 && width !== known.chart.width) known.chart.setSize({ width, height: 150 });
  }
});

const watched = new WeakSet();
function look() {
  for (const place of document.querySelectorAll(".plot")) {
    if (!watched.has(place)) {
      watched.add(place);
      seen.observe(place);
      resized.observe(place);
    } else if (place.dataset.seen) {
      draw(place);
    }
  }
}

document.addEventListener("miyabi:changed", look);
document.addEventListener("miyabi:theme", look);
addEventListener("beforeprint", () => document.querySelectorAll(".plot").forEach(draw));
look();
