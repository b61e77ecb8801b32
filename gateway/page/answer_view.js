/** How an answer looks: name, confidence, warning, reason and the candidates that come next. */

import { element, icon } from "./dom.js";
import { percent } from "./format.js";
import {
  answeredBy,
  nameOf,
  nextCandidates,
  noteOf,
  promiseOf,
  reasonOf,
  scientificNameOf,
  warningOf,
  widerRank,
} from "./verdict.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Candidate} Candidate */

/**
 * @typedef {object} Shown
 * @property {Answer} answer
 * @property {import("./types.js").Options} options - those it was asked with
 * @property {HTMLElement} file - the line with the file's name
 * @property {string} titleId
 * @property {HTMLElement | null} retry - a button
 */

/**
 * @param {Shown} shown
 * @returns {HTMLElement[]} the verdict, and beside it the next candidates if there are any
 */
export function answerParts({ answer, options, file, titleId, retry }) {
  const verdict = element(
    "div",
    { class: "verdict" },
    file,
    title(answer, titleId),
    scientific(scientificNameOf(answer)),
    confidence(answer.confidence),
    message("warning", warningOf(answer)),
    message("note", noteOf(answer)),
    reason(answer, reasonOf(answer, options)),
    details(answer),
    retry,
  );
  const others = nextCandidates(answer);
  return others.length > 0 ? [verdict, candidates(others)] : [verdict];
}

/**
 * @param {Answer} answer
 * @param {string} id
 */
function title(answer, id) {
  const perhaps = answer.low_confidence ? element("span", { class: "perhaps" }, "Perhaps ") : null;
  return element("h3", { id }, perhaps, nameOf(answer), rankChip(answer.label === null ? answer.candidates[0] : answer));
}

/** @param {{rank: Candidate["rank"]} | undefined} taxon */
function rankChip(taxon) {
  const rank = taxon && widerRank(taxon);
  return rank ? element("span", { class: "rank" }, ` ${rank}`) : null;
}

/** @param {string | null} name */
function scientific(name) {
  return name ? element("p", { class: "scientific", lang: "la" }, name) : null;
}

/** @param {number} fraction */
function confidence(fraction) {
  const number = element("strong", {}, percent(fraction));
  return element("p", { class: "confidence" }, element("span", {}, "Confidence "), number, bar(fraction));
}

/**
 * @param {number} fraction - 0 to 1; the number stands beside the bar, so that it says nothing to screen readers
 * @param {string} [kind]
 */
function bar(fraction, kind = "") {
  const made = element("span", { class: `bar ${kind}`, "aria-hidden": "true" }, element("span", { class: "fill" }));
  made.style.setProperty("--part", String(fraction));
  return made;
}

/**
 * @param {"warning" | "note"} kind
 * @param {string} text
 */
function message(kind, text) {
  return text ? element("p", { class: kind }, icon(kind), element("span", {}, text)) : null;
}

/**
 * @param {Answer} answer
 * @param {string} text
 */
function reason(answer, text) {
  return element("p", { class: "reason" }, element("b", {}, `${answeredBy(answer)}. `), text);
}

/** @param {Answer} answer */
function details(answer) {
  const { expert, models } = answer;
  const gauge = bar(expert.certainty, "gauge");
  gauge.style.setProperty("--threshold", String(expert.threshold));
  const versions = [models.expert && `expert ${models.expert}`, models.zero_shot && `zero-shot ${models.zero_shot}`];
  return element(
    "details",
    {},
    element("summary", {}, "How sure is that?"),
    element("p", {}, `Expert’s certainty ${percent(expert.certainty)}, gate at ${percent(expert.threshold)}`, gauge),
    element("p", {}, `The expert’s own first guess: ${expert.label} (${percent(expert.confidence)}).`),
    element("p", {}, promiseOf(answer)),
    element("p", {}, `Models asked: ${versions.filter(Boolean).join(", ") || "unknown"}.`),
  );
}

/** @param {Candidate[]} others */
function candidates(others) {
  const items = others.map((candidate) =>
    element(
      "li",
      {},
      element("span", { class: "candidate" }, candidate.label, scientificPart(candidate)),
      element("span", { class: "share" }, percent(candidate.confidence)),
      bar(candidate.confidence, "thin"),
    ),
  );
  return element("div", { class: "candidates" }, element("h4", {}, "Next candidates"), element("ol", {}, ...items));
}

/** @param {Candidate} candidate */
function scientificPart({ label, scientific_name: name }) {
  return name && name !== label ? element("i", { lang: "la" }, ` ${name}`) : null;
}
