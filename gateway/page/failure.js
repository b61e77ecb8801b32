/**
 * Why a picture has no answer: the server's codes and the page's own, and what they mean in plain words.
 *
 * The page's own codes: `unreachable` (no connection), `broken_off` (the server can be reached, but not with this picture),
 * `unreadable` (the browser cannot read the file any more), `cancelled`.
 */

/** @type {[string, string]} also told of a code that the page does not know */
const INTERNAL = ["Something went wrong on the server", "Try again; if it stays so, tell whoever runs the server."];

/** @type {Map<string, [string, string]>} by code: what was wrong, and what can be done */
const WORDS = new Map([
  ["empty_image", ["This file is empty", "It has 0 bytes. Copy or export the picture again."]],
  ["unsupported_image", ["This is not a picture that can be read", "Send JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF."]],
  ["damaged_image", ["This picture is damaged or cut off", "Copy or export it again from where it came."]],
  ["image_too_large", ["This picture is too large", "Send a smaller version of it."]],
  ["request_too_large", ["This picture is too large", "Send a smaller version of it."]],
  ["request_timeout", ["Sending this picture took too long", "Try again, or send a smaller version of it."]],
  ["bad_request", ["The server could not read the request", "Try again; if it stays so, tell whoever runs the server."]],
  ["invalid_option", ["The server did not accept the options", "Change them, then try again."]],
  ["unauthorised", ["The server wants a key", "Enter an API key, then try again."]],
  ["rate_limited", ["Too many requests", "Wait a little, then try again."]],
  ["overloaded", ["The server was too busy", "Wait a little, then try again."]],
  ["timed_out", ["No answer came in time", "Try again; with a slow connection, send a smaller picture."]],
  ["unreachable", ["The server could not be reached", "Check the connection, then try again."]],
  ["broken_off", ["The connection broke while this picture was sent", "It may be larger than the server accepts."]],
  ["unreadable", ["The file can no longer be read", "It was moved, changed or deleted. Choose it again."]],
  ["cancelled", ["Cancelled", "This picture has not been identified."]],
  ["internal", INTERNAL],
]);

/** Trying the same file again cannot help. */
const FINAL = new Set([
  "empty_image",
  "unsupported_image",
  "damaged_image",
  "image_too_large",
  "request_too_large",
  "unreadable",
]);

/** The server's own message says more than ours: a limit, or an option. */
const TELLING = new Set(["image_too_large", "request_too_large", "bad_request", "invalid_option"]);

/** For replies that carry no code, as one from a proxy in between. */
const CODE_OF_STATUS = new Map([
  [401, "unauthorised"],
  [403, "unauthorised"],
  [413, "image_too_large"],
  [429, "rate_limited"],
  [502, "overloaded"],
  [503, "overloaded"],
  [504, "timed_out"],
]);

/** An error with the code that says what it is. */
export class Failure extends Error {
  /**
   * @param {string} code
   * @param {object} [facts]
   * @param {number} [facts.status] - of HTTP; 0 where no reply came
   * @param {string} [facts.message] - the server's own
   * @param {number | null} [facts.retryAfterMs] - how long the server asks to wait
   * @param {string | null} [facts.requestId]
   */
  constructor(code, { status = 0, message = "", retryAfterMs = null, requestId = null } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
  }

  /** @returns {string} */
  get title() {
    return this.#words[0];
  }

  /** @returns {string} */
  get advice() {
    return this.#words[1];
  }

  /** What the server said, where that tells more; else an empty text. */
  get detail() {
    return TELLING.has(this.code) || !WORDS.has(this.code) ? this.message : "";
  }

  /** Whether the server failed, so that its log has more under the request's id. */
  get isServersFault() {
    return this.status >= 500;
  }

  get mayBeTriedAgain() {
    return !FINAL.has(this.code);
  }

  get isBusy() {
    return this.code === "overloaded" || this.code === "rate_limited";
  }

  get #words() {
    return WORDS.get(this.code) ?? INTERNAL;
  }
}

/** @param {number} status */
export function codeOfStatus(status) {
  return CODE_OF_STATUS.get(status) ?? "internal";
}
