/**
 * The queue: a few jobs at a time, in order; it can pause for a while, be held until released, and be cancelled.
 * It knows neither pictures nor requests: `work` does a job and says how to go on.
 */

/**
 * @typedef {{kind: "done"} | {kind: "again", afterMs: number} | {kind: "hold", reason: string}} Next
 *   done: the job is settled, well or badly. again: it goes back to the front, and nothing starts for `afterMs`.
 *   hold: it goes back to the front, and nothing starts until `release`.
 */

/** @template Job */
export class Queue extends EventTarget {
  /** @type {Job[]} */
  #waiting = [];
  /** @type {Map<Job, AbortController>} */
  #working = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #pausedUntil = 0;
  /** @type {string | null} */
  #held = null;
  #work;
  #atOnce;

  /**
   * Dispatches `change` after every change of what the getters say, and `hold` when it begins to be held.
   * @param {(job: Job, signal: AbortSignal) => Promise<Next>} work - must not throw
   * @param {{atOnce: number}} bounds
   */
  constructor(work, { atOnce }) {
    super();
    this.#work = work;
    this.#atOnce = atOnce;
  }

  /** Jobs that are not settled. */
  get open() {
    return this.#waiting.length + this.#working.size;
  }

  /** Milliseconds of `Date.now()` until which nothing starts; in the past where it does not pause. */
  get pausedUntil() {
    return this.#pausedUntil;
  }

  /** Why nothing starts until `release`; null where it is not held. */
  get held() {
    return this.#held;
  }

  /** @param {Job[]} jobs */
  add(jobs) {
    this.#waiting.push(...jobs);
    this.#goOn();
  }

  /** Start again what was held. */
  release() {
    this.#held = null;
    this.#goOn();
  }

  /**
   * Drop all that is not settled.
   * @returns {Job[]} what was dropped
   */
  cancel() {
    const dropped = [...this.#working.keys(), ...this.#waiting];
    const controllers = [...this.#working.values()];
    this.#waiting = [];
    this.#working.clear();
    this.#held = null;
    this.#pause(0);
    for (const controller of controllers) controller.abort();
    this.#goOn();
    return dropped;
  }

  #goOn() {
    while (this.#mayStart()) void this.#start(/** @type {Job} */ (this.#waiting.shift()));
    this.dispatchEvent(new Event("change"));
  }

  #mayStart() {
    const isIdle = this.#held === null && Date.now() >= this.#pausedUntil;
    return isIdle && this.#waiting.length > 0 && this.#working.size < this.#atOnce;
  }

  /** @param {Job} job */
  async #start(job) {
    const controller = new AbortController();
    this.#working.set(job, controller);
    const next = await this.#work(job, controller.signal);
    // Cancelled meanwhile, and perhaps queued anew: this run has no more say.
    if (this.#working.get(job) !== controller) return;
    this.#working.delete(job);
    if (next.kind !== "done") this.#waiting.unshift(job);
    if (next.kind === "hold") this.#hold(next.reason);
    if (next.kind === "again" && next.afterMs > 0) this.#pause(next.afterMs);
    this.#goOn();
  }

  /** @param {string} reason */
  #hold(reason) {
    if (this.#held !== null) return;
    this.#held = reason;
    this.dispatchEvent(new Event("hold"));
  }

  /** @param {number} milliseconds - 0 ends a pause; a shorter pause does not cut a longer one */
  #pause(milliseconds) {
    const until = Date.now() + milliseconds;
    if (milliseconds > 0 && until <= this.#pausedUntil) return;
    clearTimeout(this.#timer);
    this.#pausedUntil = milliseconds > 0 ? until : 0;
    if (milliseconds > 0) this.#timer = setTimeout(() => this.#resume(), milliseconds);
  }

  #resume() {
    this.#pausedUntil = 0;
    this.#goOn();
  }
}
