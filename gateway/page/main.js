/** Puts the page together: each part knows only its own work, and here they are tied to each other. */

import { announce } from "./announcer.js";
import { Connection } from "./connection.js";
import { closeOnBackdrop, confirmed, enlarge } from "./dialogs.js";
import { find, tell } from "./dom.js";
import { fileName, save } from "./download.js";
import { toCsv, toJson } from "./export.js";
import { count } from "./format.js";
import { Gallery } from "./gallery.js";
import { Identification } from "./identification.js";
import { takeChosen, takeDropped, takePasted } from "./intake.js";
import { KeyForm } from "./key_form.js";
import { areSame } from "./options.js";
import { OptionsForm } from "./options_form.js";
import { Pictures } from "./pictures.js";
import { ProgressView } from "./progress_view.js";
import { readOut } from "./reading_out.js";
import { SpeciesDialog } from "./species_dialog.js";

/** @typedef {import("./types.js").Picture} Picture */

const pictures = new Pictures();
const form = new OptionsForm();
const identification = new Identification(pictures, () => form.options);
const { queue } = identification;
const keyForm = new KeyForm();
const connection = new Connection();
const species = new SpeciesDialog();
const progress = new ProgressView(pictures, identification);
new Gallery(find("cards", HTMLElement), pictures, { retry: (picture) => ask([picture]), enlarge });

readOut(pictures);
closeOnBackdrop();
tieIntake();
tieOptions();
tieServer();
tieResults();
void connection.open();

/** @param {readonly Picture[]} some */
function ask(some) {
  identification.start(some);
  if (identification.parked > 0) form.showFault();
}

/**
 * @param {import("./pictures.js").Taken[]} taken
 * @param {number} [leftOut] - files of a folder that are no pictures
 */
function take(taken, leftOut = 0) {
  const others = leftOut > 0 ? ` ${count(leftOut, "file")} left out: no picture.` : "";
  tell(find("intake-told", HTMLElement), taken.length === 0 ? `There was no picture file.${others}` : others.trim());
  if (taken.length === 0) return;
  announce(`${count(taken.length, "picture")} added.`);
  ask(pictures.add(taken));
}

/**
 * @param {string} id - of a button
 * @param {() => void} action
 */
function onPress(id, action) {
  find(id, HTMLButtonElement).addEventListener("click", action);
}

/** Where the keyboard goes on when the button that was pressed has vanished. */
function focusResults() {
  find("results-title", HTMLElement).focus({ preventScroll: true });
}

function tieIntake() {
  const chosen = find("chosen", HTMLInputElement);
  const photographed = find("photographed", HTMLInputElement);
  onPress("choose", () => chosen.click());
  onPress("photograph", () => photographed.click());
  takeChosen(chosen, take);
  takeChosen(photographed, take);
  takeDropped(take);
  takePasted(take);
}

/** @returns {Picture[]} those that another answer may come of, because they were asked with other options */
function askedOtherwise() {
  const { options } = form;
  if (options === null) return [];
  const settled = pictures.all.filter(({ answer, failure }) => answer !== null || failure?.mayBeTriedAgain);
  return settled.filter((picture) => !areSame(options, picture.options));
}

function drawAskAgain() {
  const number = askedOtherwise().length;
  find("ask-again", HTMLButtonElement).hidden = number === 0;
  find("count-ask-again", HTMLElement).textContent = count(number, "picture");
}

function tieOptions() {
  form.addEventListener("change", () => {
    identification.startParked();
    drawAskAgain();
  });
  queue.addEventListener("change", () => queue.open === 0 && drawAskAgain());
  pictures.addEventListener("remove", drawAskAgain);
  onPress("show-species", () => void species.open(form.speciesList));
  onPress("ask-again", () => {
    ask(askedOtherwise());
    drawAskAgain();
    focusResults();
  });
}

function tieServer() {
  queue.addEventListener("hold", () => queue.held === "key" && keyForm.open());
  connection.addEventListener("refused", () => keyForm.open());
  connection.addEventListener("fail", (event) => keyForm.tell(/** @type {CustomEvent} */ (event).detail));
  connection.addEventListener("open", (event) => {
    form.setLists(/** @type {CustomEvent} */ (event).detail.species_lists ?? []);
    if (keyForm.close()) find(pictures.all.length > 0 ? "results-title" : "choose", HTMLElement).focus();
    if (queue.held !== null) queue.release();
  });
  keyForm.addEventListener("key", () => void connection.open());
  keyForm.addEventListener("forget", () => void connection.open());
  onPress("go-on", () => {
    queue.release();
    focusResults();
  });
  window.addEventListener("online", () => queue.held === "unreachable" && queue.release());
  window.addEventListener("beforeunload", (event) => {
    if (queue.open > 0) event.preventDefault();
  });
}

function tieResults() {
  onPress("cancel", () => {
    identification.cancel();
    focusResults();
  });
  onPress("retry-all", () => {
    ask(pictures.all.filter((picture) => picture.failure?.mayBeTriedAgain));
    focusResults();
  });
  find("filter", HTMLElement).addEventListener("change", (event) => {
    find("cards", HTMLElement).dataset.show = /** @type {HTMLInputElement} */ (event.target).value;
    progress.refresh();
  });
  onPress("save-csv", () => save(toCsv(pictures.all), "text/csv;charset=utf-8", fileName(new Date(), "csv")));
  onPress("save-json", () => save(toJson(pictures.all, new Date()), "application/json", fileName(new Date(), "json")));
  onPress("remove-all", async () => {
    if (!(await confirmed(`Remove ${count(pictures.all.length, "picture")} and what was found?`))) return;
    identification.cancel();
    pictures.clear();
    find("choose", HTMLButtonElement).focus();
  });
}
