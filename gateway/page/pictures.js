/**
 * The collection of pictures on the page: what was added, and what has become of each.
 * It tells others of changes by events and knows neither cards nor requests.
 */

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Outcome} Outcome */
/** @typedef {{file: File, name: string}} Taken */

/** Dispatches `add` (detail: Picture[]), `change` (detail: Picture), `remove` (detail: Picture[]). */
export class Pictures extends EventTarget {
  /** @type {Picture[]} */
  #all = [];
  #lastNumber = 0;

  /** @returns {readonly Picture[]} in the order in which they were added */
  get all() {
    return this.#all;
  }

  /**
   * @param {Taken[]} taken
   * @returns {Picture[]}
   */
  add(taken) {
    const added = taken.map(({ file, name }) => this.#made(file, name));
    this.#all.push(...added);
    this.#tell("add", added);
    return added;
  }

  /**
   * @param {Picture} picture
   * @param {Partial<Picture>} change
   */
  change(picture, change) {
    Object.assign(picture, change);
    this.#tell("change", picture);
  }

  clear() {
    const removed = this.#all;
    this.#all = [];
    this.#tell("remove", removed);
  }

  /** @returns {Record<Outcome, number>} */
  counts() {
    const counts = { open: 0, sure: 0, unsure: 0, failed: 0 };
    for (const picture of this.#all) counts[outcomeOf(picture)] += 1;
    return counts;
  }

  /**
   * @param {File} file
   * @param {string} name
   * @returns {Picture}
   */
  #made(file, name) {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    return { number, file, name, state: "waiting", options: null, answer: null, failure: null, tries: 0 };
  }

  /**
   * @param {string} type
   * @param {Picture | Picture[]} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * @param {Picture} picture
 * @returns {Outcome}
 */
export function outcomeOf(picture) {
  if (picture.state === "failed") return "failed";
  if (picture.state !== "answered" || picture.answer === null) return "open";
  return picture.answer.low_confidence ? "unsure" : "sure";
}
