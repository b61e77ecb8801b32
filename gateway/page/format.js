/** How numbers are written for people. */

const PERCENT = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 });
const DECIMAL = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const COUNT = new Intl.NumberFormat("en-GB");

/**
 * A share as percent; what is not quite nothing or everything is not rounded to it.
 * @param {number} fraction - 0 to 1
 */
export function percent(fraction) {
  if (fraction > 0 && fraction < 0.001) return "<0.1%";
  if (fraction < 1 && fraction > 0.999) return ">99.9%";
  return PERCENT.format(fraction);
}

/**
 * Two figures that are compared, with as many decimals as show which is larger.
 * @param {number} one
 * @param {number} other
 * @returns {[string, string]}
 */
export function compared(one, other) {
  let digits = 2;
  while (digits < 6 && one !== other && one.toFixed(digits) === other.toFixed(digits)) digits += 1;
  return [one.toFixed(digits), other.toFixed(digits)];
}

/** @param {number} bytes */
export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${DECIMAL.format(bytes / 1000)} kB`;
  return `${DECIMAL.format(bytes / 1_000_000)} MB`;
}

/**
 * A number with its noun: "1 picture", "2,000 pictures".
 * @param {number} number
 * @param {string} noun
 * @param {string} [plural]
 */
export function count(number, noun, plural = `${noun}s`) {
  return `${COUNT.format(number)} ${number === 1 ? noun : plural}`;
}
