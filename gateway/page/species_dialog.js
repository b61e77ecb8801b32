/** The dialog that tells which species can be named, with a field to search them. */

import { fetchSpecies } from "./api.js";
import { element, find, tell } from "./dom.js";
import { Failure } from "./failure.js";
import { count } from "./format.js";
import { currentKey } from "./key.js";

/** @typedef {import("./types.js").Species} Species */

/** A list may have tens of thousands; nobody reads on further than this. */
const MOST_SHOWN = 100;

export class SpeciesDialog {
  #dialog = find("species", HTMLDialogElement);
  #search = find("species-search", HTMLInputElement);
  #list = find("species-names", HTMLElement);
  #told = find("species-told", HTMLElement);
  /** @type {Species[]} */
  #species = [];

  constructor() {
    this.#search.addEventListener("input", () => this.#show());
  }

  /** @param {string | null} list - the name of a species list; null for what the models know by themselves */
  async open(list) {
    this.#species = [];
    this.#list.replaceChildren();
    this.#search.value = "";
    tell(this.#told, "Loading…");
    this.#dialog.showModal();
    try {
      this.#species = await fetchSpecies(list, currentKey());
      this.#show();
    } catch (error) {
      tell(this.#told, error instanceof Failure ? `${error.title}. ${error.advice}` : String(error));
    }
  }

  #show() {
    const wanted = this.#search.value.trim().toLowerCase();
    const found = this.#species.filter((species) => isCalled(species, wanted));
    this.#list.replaceChildren(...found.slice(0, MOST_SHOWN).map(item));
    const more = found.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} are shown, search to see others` : "";
    tell(this.#told, `${count(found.length, "name")}${more}.`);
  }
}

/**
 * @param {Species} species
 * @param {string} wanted - in lower case
 */
function isCalled({ label, scientific_name: name }, wanted) {
  return label.toLowerCase().includes(wanted) || (name ?? "").toLowerCase().includes(wanted);
}

/** @param {Species} species */
function item({ label, scientific_name: name }) {
  return element("li", {}, label, name && name !== label ? element("i", { lang: "la" }, ` ${name}`) : null);
}
