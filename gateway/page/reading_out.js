/** Reads out to screen readers what comes of the pictures: of a few each outcome, of many how far they are. */

import { announce } from "./announcer.js";
import { count, percent } from "./format.js";
import { nameOf } from "./verdict.js";

/** @typedef {import("./types.js").Picture} Picture */

/** With more than this, nobody could follow each. */
const FEW = 3;

/** @param {import("./pictures.js").Pictures} pictures */
export function readOut(pictures) {
  let wereOpen = 0;
  let quartersTold = 0;
  pictures.addEventListener("change", (event) => {
    const total = pictures.all.length;
    const { open, sure, unsure, failed } = pictures.counts();
    const quarters = Math.floor((4 * (total - open)) / total);
    if (open < wereOpen && total <= FEW) announce(outcome(/** @type {CustomEvent<Picture>} */ (event).detail));
    if (open > 0 && total > FEW && quarters > quartersTold) announce(`${total - open} of ${total} done.`);
    if (open === 0 && wereOpen > 0 && total > 1) {
      announce(`Done. ${count(total, "picture")}: ${sure} sure, ${unsure} unsure, ${failed} failed.`);
    }
    wereOpen = open;
    quartersTold = quarters;
  });
}

/** @param {Picture} picture */
function outcome({ name, answer, failure }) {
  if (answer === null) return `${name}: ${failure?.title}.`;
  const perhaps = answer.low_confidence ? "unsure, perhaps " : "";
  return `${name}: ${perhaps}${nameOf(answer)}, ${percent(answer.confidence)}.`;
}
