/** The field for an API key, shown only when the server has asked for one. */

import { find, tell } from "./dom.js";
import { canBeKey, currentKey, keepKey } from "./key.js";

/** Dispatches `key` when a key has been entered (`currentKey` then tells it) and `forget` when it is to be forgotten. */
export class KeyForm extends EventTarget {
  #section = find("key", HTMLElement);
  #field = find("key-field", HTMLInputElement);
  #fault = find("key-fault", HTMLElement);
  #forget = find("forget-key", HTMLButtonElement);

  constructor() {
    super();
    find("key-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take(this.#field.value.trim());
    });
    this.#forget.addEventListener("click", () => {
      keepKey(null);
      this.close();
      this.dispatchEvent(new Event("forget"));
    });
    this.close();
  }

  /** Ask for a key; a key that was sent has been refused. */
  open() {
    const wasRefused = currentKey() !== null;
    this.#section.hidden = false;
    this.#forget.hidden = true;
    this.#tellFault(wasRefused ? "The server does not accept this key." : "");
    if (wasRefused && this.#section.contains(document.activeElement)) this.#field.select();
  }

  /** @param {import("./failure.js").Failure} failure - why it is not known whether the key is right */
  tell(failure) {
    if (!this.#section.hidden) tell(this.#fault, `${failure.title}. It will be tried again.`);
  }

  /** @returns {boolean} whether the keyboard's focus was in the form, and has now to go elsewhere */
  close() {
    const hadFocus = this.#section.contains(document.activeElement);
    this.#section.hidden = true;
    this.#field.value = "";
    this.#tellFault("");
    this.#forget.hidden = currentKey() === null;
    return hadFocus;
  }

  /** @param {string} key */
  #take(key) {
    if (!canBeKey(key)) {
      this.#tellFault(key === "" ? "Enter a key." : "A key has letters, digits and signs only, without blanks.");
      this.#field.focus();
      return;
    }
    keepKey(key);
    this.dispatchEvent(new Event("key"));
  }

  /** @param {string} fault */
  #tellFault(fault) {
    this.#field.setAttribute("aria-invalid", String(fault !== ""));
    tell(this.#fault, fault);
  }
}
