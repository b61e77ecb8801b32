/**
 * An answer in plain words: its name, which model gave it and why, and what to beware of.
 * Pure: makes texts, no elements.
 */

import { compared, count, percent } from "./format.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Candidate} Candidate */
/** @typedef {import("./types.js").Options} Options */

const RANKS = { species: "Species", genus: "Genus", family: "Family", order: "Order" };

/**
 * @param {Answer} answer
 * @returns {string} the name to show, which for an answer without one is that of the first candidate
 */
export function nameOf(answer) {
  return answer.label ?? answer.candidates[0]?.label ?? "";
}

/**
 * @param {Answer} answer
 * @returns {string | null}
 */
export function scientificNameOf(answer) {
  const name = answer.label === null ? answer.candidates[0]?.scientific_name : answer.scientific_name;
  return name && name !== nameOf(answer) ? name : null;
}

/**
 * @param {{rank: Candidate["rank"]}} taxon
 * @returns {string | null} its rank where that is wider than a species
 */
export function widerRank(taxon) {
  return taxon.rank === null || taxon.rank === "species" ? null : RANKS[taxon.rank];
}

/**
 * @param {Answer} answer
 * @returns {Candidate[]} the names that come next
 */
export function nextCandidates(answer) {
  return answer.candidates.filter((candidate) => candidate.label !== nameOf(answer));
}

/** @param {Answer} answer */
export function answeredBy(answer) {
  if (isPooled(answer)) return "Both models";
  return answer.source === "expert" ? "Expert model" : "Zero-shot model";
}

/**
 * @param {Answer} answer
 * @returns {string} empty where the answer may be trusted as it stands
 */
export function warningOf(answer) {
  if (answer.degraded) {
    return "Do not rely on this name. The expert model was unsure, and the zero-shot model could not be asked just now.";
  }
  if (answer.label === null) return "Do not rely on this name. It is only the first guess: no model is sure of any.";
  return answer.low_confidence ? "Do not rely on this name. The models are not sure enough." : "";
}

/**
 * @param {Answer} answer
 * @returns {string} what a name wider than a species means; empty where the name is a species
 */
export function noteOf(answer) {
  const rank = answer.label === null ? null : widerRank(answer)?.toLowerCase();
  if (!rank) return "";
  if (isPooled(answer)) return `Only the ${rank} is sure. Which of its species this is, the models cannot say.`;
  return `This name stands for a whole ${rank}, not for one species.`;
}

/**
 * @param {Answer} answer
 * @param {Options} options - those it was asked with
 */
export function reasonOf(answer, options) {
  const [certainty, threshold] = compared(answer.expert.certainty, answer.expert.threshold);
  if (!answer.deferred) return `Its certainty of ${certainty} reaches the gate’s threshold of ${threshold}.`;
  return `${whyDeferred(answer, options, certainty, threshold)} ${whatThen(answer)}`;
}

/**
 * @param {Answer} answer
 * @returns {string} what is guaranteed of answers that the gate accepts
 */
export function promiseOf(answer) {
  const { certificate } = answer.expert;
  if (answer.deferred) return "The gate’s guarantee covers only answers that it accepts from the expert model.";
  if (certificate === null) return "No guarantee goes with this threshold.";
  const basis = `proved on ${count(certificate.pictures, "picture")}, of which the gate accepted ${percent(certificate.coverage)}`;
  return `At this threshold at most ${percent(certificate.risk)} of the accepted answers are wrong, with ${percent(certificate.confidence)} confidence: ${basis}. It holds for pictures like those.`;
}

/** @param {Answer} answer */
function isPooled(answer) {
  const first = answer.candidates[0];
  if (!answer.deferred || answer.degraded || answer.label === null || !first) return false;
  return first.label !== answer.label || first.confidence !== answer.confidence;
}

/**
 * @param {Answer} answer
 * @param {Options} options
 * @param {string} certainty
 * @param {string} threshold
 */
function whyDeferred(answer, options, certainty, threshold) {
  const { expert } = answer;
  if (expert.certainty < expert.threshold) {
    return `The expert model was not sure enough: its certainty of ${certainty} is below the gate’s threshold of ${threshold} (its guess: ${expert.label}).`;
  }
  const candidates = options.labels === null ? "on the species list" : "among your names";
  return `The expert model is sure of ${expert.label}, but that is not ${candidates}.`;
}

/** @param {Answer} answer */
function whatThen(answer) {
  if (answer.degraded) return "Its guess stands in, because the zero-shot model could not be asked.";
  if (answer.label === null) return "The zero-shot model was not sure either, so no name is given.";
  if (isPooled(answer)) return "The zero-shot model was not sure alone; this is the narrowest name that is sure enough.";
  return "So the zero-shot model was asked, and it is sure enough.";
}
