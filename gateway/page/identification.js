/**
 * Getting the pictures identified: what is asked, what a failure means for the picture and for those behind it.
 */

import { identify, isReachable } from "./api.js";
import { Failure } from "./failure.js";
import { currentKey } from "./key.js";
import { Queue } from "./queue.js";

/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./queue.js").Next} Next */

const AT_ONCE = 4;

/** A picture that a busy server has put off so often has failed. */
const MOST_TRIES = 8;

/** A connection that fails so often is gone, or refuses this very picture. */
const MOST_TRIES_UNREACHABLE = 3;

/** Nobody watches the page for longer than this: rather fail, and offer to try again. */
const LONGEST_WAIT_MS = 120_000;

/** @type {Next} */
const DONE = { kind: "done" };

export class Identification {
  #pictures;
  #readOptions;
  /** @type {Picture[]} */
  #parked = [];

  /**
   * @param {import("./pictures.js").Pictures} pictures
   * @param {() => Options | null} readOptions - those to ask with; null as long as they are not allowed
   */
  constructor(pictures, readOptions) {
    this.#pictures = pictures;
    this.#readOptions = readOptions;
    /** @type {Queue<Picture>} held with the reason `key` or `unreachable` */
    this.queue = new Queue((picture, signal) => this.#ask(picture, signal), { atOnce: AT_ONCE });
  }

  /** How many pictures wait for options that are allowed. */
  get parked() {
    return this.#parked.length;
  }

  /** @param {readonly Picture[]} pictures - none of which is waiting or being asked already */
  start(pictures) {
    const options = this.#readOptions();
    for (const picture of pictures) {
      this.#pictures.change(picture, { state: "waiting", options, answer: null, failure: null, tries: 0 });
    }
    if (options === null) this.#parked.push(...pictures);
    else this.queue.add([...pictures]);
  }

  /** The options have changed: perhaps what is parked can be asked now. */
  startParked() {
    if (this.#parked.length > 0) this.start(this.#parked.splice(0));
  }

  cancel() {
    for (const picture of [...this.queue.cancel(), ...this.#parked.splice(0)]) {
      this.#pictures.change(picture, { state: "failed", failure: new Failure("cancelled") });
    }
  }

  /**
   * @param {Picture} picture
   * @param {AbortSignal} signal
   * @returns {Promise<Next>}
   */
  async #ask(picture, signal) {
    const key = currentKey();
    this.#pictures.change(picture, { state: "working" });
    try {
      const options = /** @type {Options} */ (picture.options);
      const answer = await identify(picture.file, picture.name, options, key, signal);
      this.#pictures.change(picture, { state: "answered", answer });
      return DONE;
    } catch (error) {
      if (signal.aborted) return DONE;
      const failure = error instanceof Failure ? error : new Failure("internal", { message: String(error) });
      const [next, told] = await nextAfter(failure, picture.tries + 1, key);
      if (signal.aborted) return DONE;
      this.#settle(picture, next, told);
      return next;
    }
  }

  /**
   * @param {Picture} picture
   * @param {Next} next
   * @param {Failure} failure
   */
  #settle(picture, next, failure) {
    if (next.kind === "done") this.#pictures.change(picture, { state: "failed", failure });
    else this.#pictures.change(picture, { state: "waiting", tries: next.kind === "again" ? picture.tries + 1 : 0 });
  }
}

/**
 * How the queue goes on after a failure, and what the picture is told if it is given up.
 * @param {Failure} failure
 * @param {number} tries - with this one
 * @param {string | null} key - the one that was sent
 * @returns {Promise<[Next, Failure]>}
 */
async function nextAfter(failure, tries, key) {
  if (failure.code === "unauthorised") {
    // A request that went out with an older key says nothing of the new one.
    return [key === currentKey() ? { kind: "hold", reason: "key" } : { kind: "again", afterMs: 0 }, failure];
  }
  if (failure.code === "unreachable") return nextWithoutConnection(failure, tries);
  const afterMs = waitMs(failure.retryAfterMs, tries);
  const mayWait = failure.isBusy && tries < MOST_TRIES && afterMs <= LONGEST_WAIT_MS;
  return [mayWait ? { kind: "again", afterMs } : DONE, failure];
}

/**
 * @param {Failure} failure
 * @param {number} tries
 * @returns {Promise<[Next, Failure]>}
 */
async function nextWithoutConnection(failure, tries) {
  if (tries < MOST_TRIES_UNREACHABLE) return [{ kind: "again", afterMs: waitMs(null, tries) }, failure];
  // A server that cuts off what is too large looks like one that is gone, and must not stop those behind.
  if (await isReachable()) return [DONE, new Failure("broken_off")];
  return [{ kind: "hold", reason: "unreachable" }, failure];
}

/**
 * @param {number | null} askedMs - by the server; without it, doubled with each try from one second on
 * @param {number} tries
 */
function waitMs(askedMs, tries) {
  const milliseconds = askedMs ?? Math.min(1000 * 2 ** (tries - 1), 30_000);
  // A little more for each, or all pages that were put off together come back together.
  return milliseconds * (1 + Math.random() / 5);
}
