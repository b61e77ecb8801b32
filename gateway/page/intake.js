/**
 * How pictures come in: chosen, photographed, dropped (also whole folders) or pasted.
 * Owns which files of a folder are taken; what is given by itself is always taken, and the server judges it.
 */

/** @typedef {import("./pictures.js").Taken} Taken */

const ENDINGS = /\.(jpe?g|jfif|png|webp|avif|gif|bmp|tiff?|hei[cf])$/i;

const IN_ORDER = new Intl.Collator("en", { numeric: true });

/**
 * Take the files of a file input whenever some are chosen.
 * @param {HTMLInputElement} input
 * @param {(taken: Taken[]) => void} take
 */
export function takeChosen(input, take) {
  input.addEventListener("change", () => {
    take(named([...(input.files ?? [])]));
    // Or choosing the same file again would be no change.
    input.value = "";
  });
}

/**
 * Take what is dropped anywhere on the page; `body.dropping` stands while files hover over it.
 * @param {(taken: Taken[], leftOut: number) => void} take - also called with nothing, where no file was dropped
 */
export function takeDropped(take) {
  const { body } = document;
  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", (event) => {
    if (isText(event.target)) return;
    event.preventDefault();
    body.classList.toggle("dropping", hasFiles(event));
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) body.classList.remove("dropping");
  });
  document.addEventListener("drop", async (event) => {
    body.classList.remove("dropping");
    if (isText(event.target) || event.dataTransfer === null) return;
    // Or the browser would leave the page for what was dropped.
    event.preventDefault();
    const { taken, leftOut } = await filesOf(event.dataTransfer);
    take(taken, leftOut);
  });
}

/**
 * Take pictures from the clipboard wherever they are pasted; text is left to the field it is pasted into.
 * @param {(taken: Taken[]) => void} take
 */
export function takePasted(take) {
  let pasted = 0;
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    // Pictures that were copied, not files, all come with the same name.
    take(named(files, (file) => (/^image\.\w+$/.test(file.name) ? `pasted ${(pasted += 1)}.${file.name.split(".")[1]}` : file.name)));
  });
}

/**
 * @param {File[]} files
 * @param {(file: File) => string} nameOf
 * @returns {Taken[]}
 */
function named(files, nameOf = (file) => file.name) {
  return files.map((file) => ({ file, name: nameOf(file) }));
}

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<{taken: Taken[], leftOut: number}>} leftOut: files of folders that are no pictures
 */
async function filesOf(transfer) {
  // Before the first await: the browser empties the transfer when the event is over.
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return { taken: named(files), leftOut: 0 };
  const found = await Promise.all(entries.filter((entry) => entry !== null).map(walk));
  const all = found.flat().sort((one, other) => IN_ORDER.compare(one.name, other.name));
  const taken = all.filter(({ file, name }) => !name.includes("/") || isLikelyPicture(file));
  return { taken, leftOut: all.length - taken.length };
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<Taken[]>}
 */
async function walk(entry) {
  if (entry.isFile) return [await takenFrom(/** @type {FileSystemFileEntry} */ (entry))];
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (let part = await readPart(reader); part.length > 0; part = await readPart(reader)) found.push(...part);
  return (await Promise.all(found.map(walk))).flat();
}

/**
 * @param {FileSystemFileEntry} entry
 * @returns {Promise<Taken>}
 */
function takenFrom(entry) {
  return new Promise((resolve, reject) => {
    entry.file((file) => resolve({ file, name: entry.fullPath.replace(/^\//, "") }), reject);
  });
}

/**
 * A folder is read in parts, the last of which is empty.
 * @param {FileSystemDirectoryReader} reader
 * @returns {Promise<FileSystemEntry[]>}
 */
function readPart(reader) {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** @param {EventTarget | null} target */
function isText(target) {
  return target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement;
}

/** @param {File} file */
function isLikelyPicture(file) {
  return !file.name.startsWith(".") && (file.type.startsWith("image/") || ENDINGS.test(file.name));
}
