/** What screen readers are told of things that happen elsewhere on the page. */

import { find } from "./dom.js";

/** Long enough for texts that come together to be read together. */
const GATHER_MS = 300;

/** @type {string[]} */
let pending = [];

/** @param {string} text - a whole sentence */
export function announce(text) {
  if (pending.length === 0) setTimeout(speak, GATHER_MS);
  pending.push(text);
}

function speak() {
  const region = find("announcer", HTMLElement);
  const text = pending.join(" ");
  pending = [];
  // The same text again would be no change, and would not be read: a no-break space makes it another.
  region.textContent = region.textContent === text ? `${text}\u00A0` : text;
}
