// The words and numbers on the panels: titles, window, the value under the crosshair, colour bars, the scale bar.

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function quadrant(u, v) {
  const across = u < 0.38 ? "left" : u > 0.62 ? "right" : "middle", down = v < 0.38 ? "upper" : v > 0.62 ? "lower" : "central";
  return `${down} ${across} of the picture as it is shown`;
}

function peakOf(grid) {
  if (grid.peak) return grid.peak;
  let at = 0;
  for (let i = 1; i < grid.data.length; i++) if (Math.abs(grid.data[i]) > Math.abs(grid.data[at])) at = i;
  const u = ((at % grid.width) + 0.5) / grid.width, v = (Math.floor(at / grid.width) + 0.5) / grid.height;
  return (grid.peak = { value: grid.data[at], where: quadrant(u, v) });
}

/** "effusion", or "effusion 0.80 and edema 1.00", the selected finding first. */
function takenWords(v) {
  const names = takenAway(v);
  if (names.length === 1) return lower(names[0]);
  return names.map((name) => `${lower(name)} ${v.amounts.get(name).toFixed(2)}`).join(" and ");
}

/** What the model calls the counterfactual of the selected finding; of several taken away together nobody has a name. */
const ownTitle = (v) => (takenAway(v).length > 1 ? "" : v.byName.get(v.finding).counterfactual);

/** "Without effusion", or the counterfactual's own title, "With benign instead of malignant". */
const titled = (v) => ownTitle(v) || `Without ${takenWords(v)}`;

const lower = (name) => (/^[A-Z][a-z]/.test(name) ? name[0].toLowerCase() + name.slice(1) : name);

/** Title, subtitle, the lower right lines, and what a screen reader hears, for one panel as it stands. */
function wordsOf(v, panel) {
  const content = contentOf(v, panel), [centre, width] = windowOf(v, panel), spanDigits = digitsFor(width);
  const windowWords = `W ${width.toFixed(spanDigits)}  L ${centre.toFixed(spanDigits)}`;
  const cross = v.cross, grid = panel.base?.grid;
  const place = cross && `x ${Math.floor(cross.u * v.header.frame[1])}  y ${Math.floor(cross.v * v.header.frame[0])}`;
  const scanValue = cross && grid && pixelAt(grid, cross.u, cross.v);
  const scanDigits = grid && (grid.whole ? 0 : spanDigits);
  const scanWords = cross && grid ? `${place}: ${scanValue.toFixed(scanDigits)}` : "";
  if (content === "scan") {
    const why = v.plain && panel.kind !== "scan" ? "plain" : panel.kind === "without" ? "blinking" : "";
    return { title: "Scan", subtitle: why, low: [windowWords, scanWords], label: `The scan as it is. ${windowWords}` };
  }
  if (content === "blank") {
    const words = blankWords(v), title = { evidence: "Evidence", without: "Without the finding", difference: "Difference", truth: "The truth", "true-difference": "True difference" }[panel.kind];
    return { title, subtitle: "", low: ["", ""], veil: words, label: `${title}: ${words}.` };
  }
  if (content === "without") {
    const value = cross ? `${place}: ${(scanValue + valueAt(v.change.grid, cross.u, cross.v)).toFixed(scanDigits)}` : "";
    const p = probabilityNow(v), several = takenAway(v).length > 1;
    const title = titled(v);
    return { title, subtitle: `${several ? "" : `a = ${v.amounts.get(v.finding).toFixed(2)}`}${v.swipe ? "  scan to the left" : ""}`, low: [p, value],
      label: `The scan ${lower(title)}. ${p}` };
  }
  if (content === "truth") {
    const value = cross ? `${place}: ${(scanValue + valueAt(v.byName.get(v.finding).truth.grid, cross.u, cross.v)).toFixed(scanDigits)}` : "";
    const title = `The truth without ${lower(v.finding)}`;
    return { title, subtitle: "as drawn", low: ["", value], label: `${title}, drawn from the same patient.` };
  }
  const { map, limit, unit, percent: perUnit = 0 } = mapOf(v, panel), digits = digitsFor(limit);
  const under = cross && map ? valueAt(map.grid, cross.u, cross.v) : 0;
  const mapWords = !cross || !map ? "" : perUnit ? `${signed(under * perUnit, 1)} %` : `${signed(under, digits)} ${unit}`;
  if (content === "difference") {
    const name = ownTitle(v) ? "counterfactual" : "without";
    return { title: "Difference", subtitle: `${name} \u2212 scan`, low: [`changed ${percent(v.changedShare)} of the ${v.header.noun}`, mapWords],
      label: `Difference, ${name} minus scan: ${percent(v.changedShare)} of the ${v.header.noun} changed.` };
  }
  if (content === "true-difference") return { title: "True difference", subtitle: "truth \u2212 scan", low: ["", mapWords], label: `True difference, the truth without ${lower(v.finding)} minus scan.` };
  if (content === "evidence") {
    const peak = peakOf(map.grid);
    const subtitle = v.header.method + (v.overlayOn ? "" : ", overlay off") + (v.swipe ? ", scan to the left" : "");
    const title = v.byName.get(v.finding).title || `Evidence for ${lower(v.finding)}`;
    return { title, subtitle, low: [v.overlayOn ? `one scale for all ${v.header.noun}s` : "", mapWords],
      label: `${title}, ${v.header.method}. Strongest ${signed(peak.value, digits)} ${unit}, ${peak.where}.` };
  }
  const { title, subtitle, alt } = panel.spec;
  return { title, subtitle, low: [mapWords, scanWords || (cross ? place : "")], label: [alt, subtitle].filter(Boolean).join(", ") };
}

function writePanels(v) {
  for (const panel of v.panels) {
    if (!panel.shown) continue;
    const { title, subtitle, low, label, veil = "" } = wordsOf(v, panel);
    setText(panel.veil, veil);
    setText(panel.title, title);
    setText(panel.subtitle, subtitle);
    low.forEach((line, i) => setText(panel.low[i], line));
    if (panel.canvas.getAttribute("aria-label") !== label) panel.canvas.setAttribute("aria-label", label);
    writeBar(v, panel);
    if (panel.divider) placeDivider(v, panel);
    if (panel.scale) placeScale(v, panel);
  }
}

function writeBar(v, panel) {
  const { bar } = panel;
  if (!bar) return;
  const content = contentOf(v, panel);
  bar.element.hidden = content === "scan" || content === "blank" || (content === "evidence" && !v.overlayOn);
  if (bar.element.hidden) return;
  const { limit, unit, sequential, percent: perUnit = 0 } = mapOf(v, panel), end = perUnit ? `${Number((limit * perUnit).toPrecision(3))} %` : Number(limit.toPrecision(3));
  setText(bar.top, `+${end}`);
  setText(bar.bottom, sequential ? "0" : `\u2212${end}`);
  setText(bar.unit, unit);
  if (bar.sequential !== sequential) {
    bar.sequential = sequential;
    bar.ramp.style.background = rampGradient(sequential);
  }
  const marked = content !== "difference" && (v.contour || v.thresholdOn);
  bar.element.classList.toggle("marked", marked);
  const share = sequential ? v.threshold : 0.5 + v.threshold / 2;
  bar.ramp.style.setProperty("--above", `${100 * share}%`);
  bar.ramp.style.setProperty("--below", sequential ? "200%" : `${100 * (1 - share)}%`);
}

function placeDivider(v, panel) {
  panel.divider.hidden = !v.swipe || ["scan", "blank"].includes(contentOf(v, panel));
  panel.divider.style.left = `${(v.swipeAt * 100).toFixed(2)}%`;
  panel.divider.setAttribute("aria-valuenow", Math.round(v.swipeAt * 100));
  panel.divider.setAttribute("aria-valuetext", `scan on the left ${Math.round(v.swipeAt * 100)} %`);
}

/** A bar of a round number of millimetres, 60 to 150 CSS pixels long. */
function placeScale(v, panel) {
  const perPixel = v.header.spacing_mm[1] / v.view.s;
  const long = [1, 2, 5, 10, 20, 50, 100, 200].findLast((mm) => mm / perPixel <= 150) ?? 1;
  panel.scale.style.width = `${long / perPixel}px`;
  setText(panel.scale.firstChild, `${long} mm${v.header.scale_note ?? ""}`);
}

/** Puts the crosshair at the same place of every panel. */
function placeCross(v) {
  const { cross, view, size } = v, [height, width] = v.header.frame;
  const x = cross ? (cross.u * width - view.cx) * view.s + size.cssWidth / 2 : -1;
  const y = cross ? (cross.v * height - view.cy) * view.s * view.aspect + size.cssHeight / 2 : -1;
  const visible = v.crossOn && cross && x >= 0 && y >= 0 && x <= size.cssWidth && y <= size.cssHeight;
  for (const panel of v.panels) {
    panel.downLine.hidden = panel.acrossLine.hidden = !visible;
    if (!visible) continue;
    panel.downLine.style.transform = `translateX(${x}px)`;
    panel.acrossLine.style.transform = `translateY(${y}px)`;
  }
}

/** The crosshair moved: only words and two lines change, no picture. */
function crossMoved(v) {
  if (v.crossFrame || v.frame) return;
  v.crossFrame = requestAnimationFrame(() => {
    v.crossFrame = 0;
    if (!v.size || v.closed) return;
    placeCross(v);
    writePanels(v);
  });
}
