/** Saving a text as a file, without any server. */

/**
 * @param {string} text
 * @param {string} type - of its content
 * @param {string} name
 */
export function save(text, type, name) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // Only when the browser has surely begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * @param {Date} now
 * @param {string} ending
 */
export function fileName(now, ending) {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  return `fishgate-${local.slice(0, 10)}-${local.slice(11, 16).replace(":", "")}.${ending}`;
}
