/** The form of the options: which names may be answered, and how many candidates each answer tells. */

import { element, find, tell } from "./dom.js";
import { count } from "./format.js";
import { faultOfLabels, faultOfTopK, labelsIn } from "./options.js";

/** @typedef {import("./types.js").Options} Options */

/** Dispatches `change` when the user has changed something. */
export class OptionsForm extends EventTarget {
  #panel = find("options", HTMLDetailsElement);
  #form = find("options-form", HTMLFormElement);
  #labels = find("labels", HTMLTextAreaElement);
  #lists = find("species-list", HTMLSelectElement);
  #topK = find("top-k", HTMLInputElement);

  constructor() {
    super();
    this.#form.addEventListener("change", () => this.#changed());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#labels.addEventListener("input", () => this.#follow());
    this.#draw();
  }

  /** @returns {Options | null} as they stand there; null where something is not allowed */
  get options() {
    const labels = this.#choice === "own" ? this.#names : null;
    if (faultOfTopK(this.#topK.value) || (labels !== null && faultOfLabels(labels))) return null;
    return { topK: Number(this.#topK.value), labels, speciesList: this.speciesList };
  }

  /** The name of the species list that is chosen, or null. */
  get speciesList() {
    return this.#choice === "list" && this.#lists.value !== "" ? this.#lists.value : null;
  }

  /** Mark what is wrong, and lead the user to it. */
  showFault() {
    this.#check(faultOfLabels(this.#names));
    this.#panel.open = true;
    const faulty = this.#form.querySelector("[aria-invalid=true]");
    if (faulty instanceof HTMLElement) faulty.focus();
  }

  /** @param {string[]} names - of the lists that the server holds */
  setLists(names) {
    const chosen = this.#lists.value;
    this.#lists.replaceChildren(...names.map((name) => element("option", { value: name }, spaced(name))));
    if (names.includes(chosen)) this.#lists.value = chosen;
    find("choice-list", HTMLElement).hidden = names.length === 0;
    if (names.length === 0 && this.#choice === "list") find("choose-all", HTMLInputElement).checked = true;
    this.#draw();
  }

  /** @returns {string} `all`, `list` or `own` */
  get #choice() {
    return String(new FormData(this.#form).get("choice"));
  }

  get #names() {
    return labelsIn(this.#labels.value);
  }

  #changed() {
    // That nothing is written yet is told only when something is to be asked: see `showFault`.
    this.#check(this.#names.length === 0 ? "" : faultOfLabels(this.#names));
    this.#draw();
    this.dispatchEvent(new Event("change"));
  }

  /** While somebody writes, a fault goes when it is mended, but none comes. */
  #follow() {
    if (this.#labels.getAttribute("aria-invalid") === "true") this.#check(faultOfLabels(this.#names));
    this.#draw();
  }

  /** @param {string} labelsFault */
  #check(labelsFault) {
    const ownFault = this.#choice === "own" ? labelsFault : "";
    const topKFault = faultOfTopK(this.#topK.value);
    mark(this.#labels, find("labels-fault", HTMLElement), ownFault);
    mark(this.#topK, find("top-k-fault", HTMLElement), topKFault);
  }

  #draw() {
    const choice = this.#choice;
    find("own-names", HTMLElement).hidden = choice !== "own";
    find("list-names", HTMLElement).hidden = choice !== "list";
    find("show-species", HTMLButtonElement).hidden = choice === "own";
    find("labels-count", HTMLElement).textContent = count(this.#names.length, "name");
    find("options-now", HTMLElement).textContent = this.#summary(choice);
  }

  /** @param {string} choice */
  #summary(choice) {
    const number = count(Number(this.#topK.value) || 0, "candidate");
    if (choice === "own") return `${count(this.#names.length, "name")} of your own, ${number} each`;
    return choice === "list" ? `${spaced(this.#lists.value)}, ${number} each` : `all known species, ${number} each`;
  }
}

/** @param {string} name - of a species list */
function spaced(name) {
  return name.replaceAll("_", " ");
}

/**
 * @param {HTMLElement} field
 * @param {HTMLElement} place - of the message
 * @param {string} fault
 */
function mark(field, place, fault) {
  field.setAttribute("aria-invalid", String(fault !== ""));
  tell(place, fault);
}
