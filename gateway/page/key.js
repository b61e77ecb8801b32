/** The API key: kept for this tab only, in sessionStorage, and nowhere else. */

const NAME = "fishgate-api-key";

/** @type {string | null} */
let kept = readStored();

/** @returns {string | null} */
export function currentKey() {
  return kept;
}

/** @param {string | null} key */
export function keepKey(key) {
  kept = key;
  try {
    if (key === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, key);
  } catch {
    // Storage is switched off in this browser: the key then lives as long as the page.
  }
}

/**
 * Whether the text can be a key at all: a header carries visible ASCII characters only.
 * @param {string} text
 */
export function canBeKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

function readStored() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}
