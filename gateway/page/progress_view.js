/** How far the pictures are: the bar with its words, the counts, and the buttons that make sense just now. */

import { find, tell } from "./dom.js";

/** Changes that come together are drawn once. */
const GATHER_MS = 50;

export class ProgressView {
  #pictures;
  #identification;
  #bar = find("progress-bar", HTMLProgressElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #dueAt = Infinity;

  /**
   * @param {import("./pictures.js").Pictures} pictures
   * @param {import("./identification.js").Identification} identification
   */
  constructor(pictures, identification) {
    this.#pictures = pictures;
    this.#identification = identification;
    pictures.addEventListener("add", () => this.#draw());
    pictures.addEventListener("remove", () => this.#draw());
    pictures.addEventListener("change", () => this.#drawIn(GATHER_MS));
    identification.queue.addEventListener("change", () => this.#drawIn(GATHER_MS));
    this.#draw();
  }

  /** @param {number} milliseconds */
  #drawIn(milliseconds) {
    const dueAt = Date.now() + milliseconds;
    if (dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#draw(), milliseconds);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
    const counts = this.#pictures.counts();
    const total = this.#pictures.all.length;
    find("results", HTMLElement).hidden = total === 0;
    document.body.classList.toggle("has-pictures", total > 0);
    this.#drawProgress(counts.open, total);
    this.#drawCounts(counts, total);
  }

  /**
   * @param {number} open
   * @param {number} total
   */
  #drawProgress(open, total) {
    find("progress", HTMLElement).hidden = open === 0;
    this.#bar.max = Math.max(total, 1);
    this.#bar.value = total - open;
    find("progress-text", HTMLElement).textContent = `${total - open} of ${total} done`;
    tell(find("progress-why", HTMLElement), this.#why());
    find("go-on", HTMLButtonElement).hidden = this.#identification.queue.held !== "unreachable";
  }

  /** @returns {string} why it does not go on, or nothing */
  #why() {
    const { queue, parked } = this.#identification;
    if (queue.held === "key") return "Waiting for an API key.";
    if (queue.held === "unreachable") return "The server cannot be reached.";
    const seconds = Math.ceil((queue.pausedUntil - Date.now()) / 1000);
    if (seconds > 0) {
      this.#drawIn(1000);
      return `The server is busy; going on in ${seconds} s.`;
    }
    return parked > 0 ? "Waiting until the options are right." : "";
  }

  /**
   * @param {Record<import("./types.js").Outcome, number>} counts
   * @param {number} total
   */
  #drawCounts({ sure, unsure, failed }, total) {
    const again = this.#pictures.all.filter((picture) => picture.failure?.mayBeTriedAgain).length;
    const shown = find("cards", HTMLElement).dataset.show ?? "all";
    const numbers = /** @type {Record<string, number>} */ ({ all: total, sure, unsure, failed, retry: again });
    for (const [name, number] of Object.entries(numbers)) {
      find(`count-${name}`, HTMLElement).textContent = String(number);
    }
    find("retry-all", HTMLButtonElement).hidden = again === 0;
    find("none-shown", HTMLElement).hidden = numbers[shown] !== 0;
  }

  /** Draw again, because something was changed that is told by no event. */
  refresh() {
    this.#drawIn(0);
  }
}
