/**
 * What may be asked besides the picture, and whether it is allowed: the rules of the server (docs/api), told before
 * anything is sent. Pure: knows no form.
 */

export const MAX_TOP_K = 50;
export const MAX_LABELS = 100;
export const MAX_LABEL_CHARACTERS = 100;

/** Not printable: control characters, unassigned and private ones, and separators (a space has been let through before). */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/**
 * The names in a text, separated by commas or lines; blanks of any kind between words become one space.
 * @param {string} text
 * @returns {string[]}
 */
export function labelsIn(text) {
  const parts = text.split(/[,\n\r]/);
  return parts.map((part) => part.replace(/\s+/gu, " ").trim()).filter((part) => part !== "");
}

/**
 * @param {string[]} labels
 * @returns {string} what is wrong with them; empty if nothing is
 */
export function faultOfLabels(labels) {
  if (labels.length === 0) return "Write at least one name.";
  if (labels.length > MAX_LABELS) return `These are ${labels.length} names; at most ${MAX_LABELS} are allowed.`;
  for (const label of labels) {
    const length = [...label].length;
    if (length > MAX_LABEL_CHARACTERS) {
      return `“${shortened(label)}” has ${length} characters; at most ${MAX_LABEL_CHARACTERS} are allowed.`;
    }
    if (UNPRINTABLE.test(label.replaceAll(" ", ""))) return `“${shortened(label)}” has characters that cannot be printed.`;
  }
  const twice = firstTwice(labels);
  return twice === null ? "" : `“${shortened(twice)}” stands there twice.`;
}

/**
 * @param {string} text
 * @returns {string} what is wrong with it; empty if nothing is
 */
export function faultOfTopK(text) {
  const isAllowed = /^\d{1,6}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= MAX_TOP_K;
  return isAllowed ? "" : `Write a whole number from 1 to ${MAX_TOP_K}.`;
}

/**
 * @param {import("./types.js").Options} one
 * @param {import("./types.js").Options | null} other
 */
export function areSame(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** @param {string[]} labels */
function firstTwice(labels) {
  const seen = new Set();
  for (const label of labels) {
    // Upper case first, so that ß and ss are the same, as they are to the server.
    const folded = label.toUpperCase().toLowerCase();
    if (seen.has(folded)) return label;
    seen.add(folded);
  }
  return null;
}

/** @param {string} label */
function shortened(label) {
  const characters = [...label];
  return characters.length <= 30 ? label : `${characters.slice(0, 30).join("")}…`;
}
