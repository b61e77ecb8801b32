/** The list of cards. Many are appended a few at a time, so that the page answers meanwhile. */

import { Card } from "./card.js";

/** @typedef {import("./types.js").Picture} Picture */

const CARDS_A_FRAME = 40;

export class Gallery {
  #list;
  #actions;
  /** @type {Map<Picture, Card>} */
  #cards = new Map();
  /** @type {Picture[]} */
  #coming = [];

  /**
   * @param {HTMLElement} list
   * @param {import("./pictures.js").Pictures} pictures
   * @param {import("./card.js").Actions} actions
   */
  constructor(list, pictures, actions) {
    this.#list = list;
    this.#actions = actions;
    pictures.addEventListener("add", (event) => this.#add(/** @type {CustomEvent} */ (event).detail));
    pictures.addEventListener("change", (event) => this.#cards.get(/** @type {CustomEvent} */ (event).detail)?.update());
    pictures.addEventListener("remove", () => this.#clear());
  }

  /** @param {Picture[]} added */
  #add(added) {
    const isIdle = this.#coming.length === 0;
    this.#coming.push(...added);
    if (!isIdle) return;
    const first = added[0];
    this.#appendSome();
    if (first) this.#cards.get(first)?.element.scrollIntoView({ block: "nearest" });
  }

  #appendSome() {
    const cards = this.#coming.splice(0, CARDS_A_FRAME).map((picture) => {
      const card = new Card(picture, this.#actions);
      this.#cards.set(picture, card);
      return card.element;
    });
    this.#list.append(...cards);
    if (this.#coming.length > 0) requestAnimationFrame(() => this.#appendSome());
  }

  #clear() {
    for (const card of this.#cards.values()) card.release();
    this.#cards.clear();
    this.#coming = [];
    this.#list.replaceChildren();
  }
}
