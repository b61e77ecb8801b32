/**
 * All pictures with their answers as CSV or JSON. Pure: makes texts, saves nothing.
 *
 * CSV is that of RFC 4180 (lines end in CR LF), in UTF-8 with a byte order mark, without which spreadsheets take it for
 * something else. A cell that a spreadsheet would run as a formula gets an apostrophe before it.
 */

import { outcomeOf } from "./pictures.js";

/** @typedef {import("./types.js").Picture} Picture */

const BYTE_ORDER_MARK = "\uFEFF";

/** What spreadsheets take for a formula or a command, also in full width and behind blanks. */
const FORMULA = /^[\s\uFEFF]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

/** @type {[string, (picture: Picture) => string | number | boolean | null | undefined][]} column and its value */
const COLUMNS = [
  ["file", (picture) => picture.name],
  ["outcome", (picture) => outcomeOf(picture)],
  ["label", ({ answer }) => answer?.label],
  ["scientific_name", ({ answer }) => answer?.scientific_name],
  ["rank", ({ answer }) => answer?.rank],
  ["confidence", ({ answer }) => answer?.confidence],
  ["source", ({ answer }) => answer?.source],
  ["deferred", ({ answer }) => answer?.deferred],
  ["low_confidence", ({ answer }) => answer?.low_confidence],
  ["degraded", ({ answer }) => answer?.degraded],
  ["candidates", ({ answer }) => answer?.candidates.map(({ label, confidence }) => `${label} (${confidence})`).join("; ")],
  ["expert_label", ({ answer }) => answer?.expert.label],
  ["expert_confidence", ({ answer }) => answer?.expert.confidence],
  ["expert_certainty", ({ answer }) => answer?.expert.certainty],
  ["expert_threshold", ({ answer }) => answer?.expert.threshold],
  ["expert_model", ({ answer }) => answer?.models.expert],
  ["zero_shot_model", ({ answer }) => answer?.models.zero_shot],
  ["own_labels", ({ options }) => options?.labels?.join("; ")],
  ["species_list", ({ options }) => options?.speciesList],
  ["error_code", (picture) => errorOf(picture)?.code],
  ["error_message", (picture) => errorOf(picture)?.message],
];

/** @param {readonly Picture[]} pictures */
export function toCsv(pictures) {
  const rows = [COLUMNS.map(([name]) => name), ...pictures.map((picture) => COLUMNS.map(([, value]) => value(picture)))];
  return BYTE_ORDER_MARK + rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/**
 * Entries as the lines of `POST /v1/identify/batch`: index, file, and an answer or an error; besides what was asked.
 * @param {readonly Picture[]} pictures
 * @param {Date} now
 */
export function toJson(pictures, now) {
  const entries = pictures.map((picture, index) => entryOf(picture, index));
  return `${JSON.stringify({ exported: now.toISOString(), pictures: entries }, null, 1)}\n`;
}

/**
 * @param {Picture} picture
 * @param {number} index
 */
function entryOf(picture, index) {
  const { options, answer, name, file } = picture;
  const asked = options && { top_k: options.topK, labels: options.labels, species_list: options.speciesList };
  const head = { index, file: name, bytes: file.size, options: asked };
  return answer === null ? { ...head, error: errorOf(picture) } : { ...head, answer };
}

/**
 * @param {Picture} picture
 * @returns {{status: number, code: string, message: string} | null} null where there is an answer
 */
function errorOf({ answer, failure }) {
  if (answer !== null) return null;
  if (failure === null) return { status: 0, code: "waiting", message: "Not identified yet" };
  return { status: failure.status, code: failure.code, message: failure.message || failure.title };
}

/** @param {string | number | boolean | null | undefined} value */
function cell(value) {
  if (typeof value !== "string") return value === null || value === undefined ? "" : String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
