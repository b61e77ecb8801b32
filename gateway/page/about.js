/** What the page tells of the models behind it. */

import { element, find } from "./dom.js";
import { count, percent } from "./format.js";

/** @typedef {import("./types.js").Catalogue} Catalogue */
/** @typedef {import("./types.js").ModelView} ModelView */

/** @param {Catalogue} catalogue */
export function showModels({ expert, zero_shot: zeroShot }) {
  const list = find("models", HTMLElement);
  list.replaceChildren(
    entry("Expert model", describe(expert), gateOf(expert)),
    entry("Zero-shot model", zeroShot ? describe(zeroShot) : "not there just now", ""),
  );
}

/** @param {string} text - why the models are not known */
export function showNoModels(text) {
  find("models", HTMLElement).replaceChildren(entry("Models", text, ""));
}

/**
 * @param {string} term
 * @param {...string} texts
 */
function entry(term, ...texts) {
  return element("div", {}, element("dt", {}, term), ...texts.filter(Boolean).map((text) => element("dd", {}, text)));
}

/** @param {ModelView} model */
function describe({ version, labels }) {
  const number = numberOf(labels);
  return number === null ? `Version ${version}` : `Version ${version}, ${count(number, "name")}`;
}

/** @param {ModelView} model */
function gateOf({ gate }) {
  if (!gate) return "";
  const promise = gate.certificate;
  const threshold = `It answers by itself from a certainty of ${gate.threshold} on.`;
  if (!promise) return threshold;
  return `${threshold} Of the answers accepted so, at most ${percent(promise.risk)} are wrong, with ${percent(promise.confidence)} confidence, for pictures like those it was calibrated on.`;
}

/** @param {unknown} labels - a list, a table by number, or their count */
function numberOf(labels) {
  if (typeof labels === "number") return labels;
  return typeof labels === "object" && labels !== null ? Object.keys(labels).length : null;
}
