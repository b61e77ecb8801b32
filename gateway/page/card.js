/** The card of one picture: its thumbnail, and beside it what has become of it. */

import { answerParts } from "./answer_view.js";
import { element, icon } from "./dom.js";
import { fileSize } from "./format.js";
import { outcomeOf } from "./pictures.js";
import { thumbnail } from "./thumbnail.js";

/** @typedef {import("./types.js").Picture} Picture */

/**
 * @typedef {object} Actions - what the buttons of a card do
 * @property {(picture: Picture) => void} retry
 * @property {(address: string, name: string) => void} enlarge
 */

export class Card {
  #picture;
  #actions;
  #address;
  #body;
  #article;

  /**
   * @param {Picture} picture
   * @param {Actions} actions
   */
  constructor(picture, actions) {
    this.#picture = picture;
    this.#actions = actions;
    this.#address = URL.createObjectURL(picture.file);
    this.#body = element("div", { class: "card-body" });
    const shown = thumbnail(picture, this.#address, () => actions.enlarge(this.#address, picture.name));
    const attributes = { class: "card", "aria-labelledby": this.#titleId, tabindex: "-1" };
    this.#article = element("article", attributes, shown, this.#body);
    /** The item of the list. */
    this.element = element("li", {}, this.#article);
    this.update();
  }

  get #titleId() {
    return `picture-${this.#picture.number}`;
  }

  /** Show the picture's state as it is now. */
  update() {
    const hadFocus = this.#body.contains(document.activeElement);
    this.element.dataset.outcome = outcomeOf(this.#picture);
    this.#article.dataset.state = this.#picture.state;
    this.#body.replaceChildren(...this.#parts());
    // Its button is gone: whoever pressed it goes on from the card, not from the top of the page.
    if (hadFocus) this.#article.focus({ preventScroll: true });
  }

  /** Give the memory of the picture back. */
  release() {
    URL.revokeObjectURL(this.#address);
  }

  #parts() {
    const { state, answer, options, failure } = this.#picture;
    if (state === "answered" && answer && options) {
      const retry = answer.degraded ? this.#retryButton() : null;
      return answerParts({ answer, options, file: this.#fileLine(), titleId: this.#titleId, retry });
    }
    if (state === "failed" && failure) return [this.#failureParts(failure)];
    return [this.#openParts(state === "working" ? "Identifying…" : "Waiting…")];
  }

  /** @param {string} title */
  #openParts(title) {
    const skeleton = element("span", { class: "skeleton", "aria-hidden": "true" });
    return element("div", { class: "verdict" }, this.#fileLine(), this.#title(title), skeleton);
  }

  /** @param {import("./failure.js").Failure} failure */
  #failureParts(failure) {
    const reference = failure.isServersFault && failure.requestId ? `Request ${failure.requestId}` : "";
    return element(
      "div",
      { class: "verdict" },
      this.#fileLine(),
      this.#title(failure.title),
      element("p", { class: "advice" }, failure.advice),
      failure.detail ? element("p", { class: "detail" }, `The server says: ${failure.detail}`) : null,
      reference ? element("p", { class: "detail" }, reference) : null,
      failure.mayBeTriedAgain ? this.#retryButton() : null,
    );
  }

  #fileLine() {
    const { name, file } = this.#picture;
    const shown = element("span", { class: "file-name", title: name }, name);
    return element("p", { class: "file" }, shown, element("span", { class: "file-size" }, fileSize(file.size)));
  }

  /** @param {string} text */
  #title(text) {
    return element("h3", { id: this.#titleId }, text);
  }

  #retryButton() {
    const hidden = element("span", { class: "visually-hidden" }, ` with ${this.#picture.name}`);
    const button = element("button", { type: "button", class: "button small" }, icon("again"), "Try again", hidden);
    button.addEventListener("click", () => this.#actions.retry(this.#picture));
    return button;
  }
}
