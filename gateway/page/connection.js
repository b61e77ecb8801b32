/**
 * Whether the server is there and lets us in: asks for its models until it answers, and says what comes of it.
 */

import { showModels, showNoModels } from "./about.js";
import { fetchCatalogue } from "./api.js";
import { Failure } from "./failure.js";
import { currentKey } from "./key.js";

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Dispatches `open` (detail: Catalogue) when the server has answered, `refused` when it wants a key, and `fail`
 * (detail: Failure) when it could not tell; it is then asked again after a while.
 */
export class Connection extends EventTarget {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** Ask now, and again later as long as no answer comes; a try that waits is given up for this one. */
  async open(waitMs = FIRST_WAIT_MS) {
    clearTimeout(this.#timer);
    try {
      const catalogue = await fetchCatalogue(currentKey());
      if (!catalogue?.expert) throw new Failure("internal");
      showModels(catalogue);
      this.dispatchEvent(new CustomEvent("open", { detail: catalogue }));
    } catch (error) {
      this.#failed(error instanceof Failure ? error : new Failure("internal"), waitMs);
    }
  }

  /**
   * @param {Failure} failure
   * @param {number} waitMs
   */
  #failed(failure, waitMs) {
    if (failure.code === "unauthorised") {
      showNoModels("The server tells of them once it has a key.");
      this.dispatchEvent(new Event("refused"));
      return;
    }
    const isComing = failure.code === "overloaded" || failure.code === "unreachable";
    showNoModels(isComing ? "The server does not answer yet. It may still be starting." : `${failure.title}.`);
    this.dispatchEvent(new CustomEvent("fail", { detail: failure }));
    clearTimeout(this.#timer);
    const nextMs = Math.max(waitMs, failure.retryAfterMs ?? 0);
    this.#timer = setTimeout(() => void this.open(Math.min(waitMs * 2, LONGEST_WAIT_MS)), nextMs);
  }
}
