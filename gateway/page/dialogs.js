/** The dialogs of the page: a picture enlarged, and the question before all is removed. */

import { find } from "./dom.js";

/**
 * @param {string} address
 * @param {string} name
 */
export function enlarge(address, name) {
  const dialog = find("viewer", HTMLDialogElement);
  const image = find("viewer-image", HTMLImageElement);
  image.src = address;
  image.alt = name;
  find("viewer-name", HTMLElement).textContent = name;
  dialog.addEventListener("close", () => image.removeAttribute("src"), { once: true });
  dialog.showModal();
}

/**
 * @param {string} question
 * @returns {Promise<boolean>}
 */
export function confirmed(question) {
  const dialog = find("question", HTMLDialogElement);
  find("question-text", HTMLElement).textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** A click on what is behind a dialog closes it, as Escape does. */
export function closeOnBackdrop() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }
}
