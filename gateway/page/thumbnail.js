/**
 * The small picture of a card. The browser decodes it only when it comes near the window, and a placeholder stands for
 * what it cannot show (a TIFF, a damaged file).
 */

import { element, icon } from "./dom.js";

/**
 * @param {import("./types.js").Picture} picture
 * @param {string} address - of the file, for this page only
 * @param {() => void} enlarge
 */
export function thumbnail({ name }, address, enlarge) {
  const image = element("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false", src: address });
  const button = element("button", { type: "button", class: "thumbnail", "aria-label": `Enlarge ${name}` }, image);
  button.addEventListener("click", enlarge);
  const frame = element("div", { class: "frame" }, button);
  image.addEventListener("error", () => frame.replaceChildren(placeholder(name)));
  return frame;
}

/** @param {string} name */
function placeholder(name) {
  const ending = /\.(\w{1,5})$/.exec(name)?.[1]?.toUpperCase();
  const text = ending ? `${ending}: no preview` : "No preview";
  return element("div", { class: "thumbnail placeholder" }, icon("picture"), element("span", {}, text));
}
