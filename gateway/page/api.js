/**
 * The page's requests to the server (docs/api). Owns addresses, headers and how a reply becomes an answer or a `Failure`.
 * Addresses are relative to the page, so that it also works below a path of a proxy.
 */

import { codeOfStatus, Failure } from "./failure.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Catalogue} Catalogue */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Species} Species */

/** After this no answer is waited for: far above the server's own deadline, for slow uploads. */
const LIMIT_MS = 300_000;

/**
 * Ask what is in a picture. Throws a Failure, or an AbortError when `signal` says so.
 * @param {File} file
 * @param {string} name
 * @param {Options} options
 * @param {string | null} key
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export async function identify(file, name, options, key, signal) {
  const answer = await send("v1/identify", { method: "POST", body: formOf(file, name, options) }, key, signal, file);
  if (!Array.isArray(answer?.candidates) || !answer.expert || !answer.models) throw new Failure("internal");
  return answer;
}

/**
 * @param {string | null} key
 * @returns {Promise<Catalogue>}
 */
export async function fetchCatalogue(key) {
  return send("v1/models", {}, key);
}

/**
 * @param {string | null} list - the name of a species list; null for what the models know by themselves
 * @param {string | null} key
 * @returns {Promise<Species[]>}
 */
export async function fetchSpecies(list, key) {
  const address = list === null ? "v1/species" : `v1/species?list=${encodeURIComponent(list)}`;
  return (await send(address, {}, key))?.species ?? [];
}

/** Whether the server answers at all, be it with an error. */
export async function isReachable() {
  try {
    await fetch(addressOf("livez"), { cache: "no-store" });
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {File} file
 * @param {string} name
 * @param {Options} options
 */
function formOf(file, name, options) {
  const form = new FormData();
  form.append("top_k", String(options.topK));
  if (options.labels !== null) form.append("labels", JSON.stringify(options.labels));
  if (options.speciesList !== null) form.append("species_list", options.speciesList);
  form.append("data", file, name);
  return form;
}

/** @param {string} path */
function addressOf(path) {
  return new URL(path, document.baseURI);
}

/**
 * @param {string} path
 * @param {RequestInit} request
 * @param {string | null} key
 * @param {AbortSignal} [signal]
 * @param {File} [file] - the one in the body
 * @returns {Promise<any>} the JSON of a reply that is no error; null where it is no JSON
 */
async function send(path, request, key, signal, file) {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const headers = new Headers(key === null ? [] : [["Authorization", `Bearer ${key}`]]);
  let reply, text;
  try {
    reply = await fetch(addressOf(path), { ...request, headers, signal: signal ? anyOf(signal, limit) : limit });
    text = await reply.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw await failureWithoutReply(limit, file);
  }
  if (!reply.ok) throw failureOf(reply, parsed(text)?.error);
  return parsed(text);
}

/**
 * @param {AbortSignal} signal
 * @param {AbortSignal} limit
 */
function anyOf(signal, limit) {
  // Browsers of before 2024 lack AbortSignal.any; there the user's own cancelling must do.
  return "any" in AbortSignal ? AbortSignal.any([signal, limit]) : signal;
}

/**
 * @param {AbortSignal} limit
 * @param {File} [file]
 */
async function failureWithoutReply(limit, file) {
  if (limit.aborted) return new Failure("timed_out");
  try {
    await file?.slice(0, 1).arrayBuffer();
  } catch {
    return new Failure("unreadable");
  }
  return new Failure("unreachable");
}

/**
 * @param {Response} reply
 * @param {any} error - what its body says, if it is ours
 */
function failureOf(reply, error) {
  return new Failure(typeof error?.code === "string" ? error.code : codeOfStatus(reply.status), {
    status: reply.status,
    message: typeof error?.message === "string" ? error.message : "",
    retryAfterMs: millisecondsOf(reply.headers.get("Retry-After")),
    requestId: reply.headers.get("X-Request-Id"),
  });
}

/**
 * @param {string} text
 * @returns {any} null where it is no JSON
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * @param {string | null} retryAfter - seconds, or a date of HTTP
 * @returns {number | null}
 */
export function millisecondsOf(retryAfter) {
  if (retryAfter === null) return null;
  const text = retryAfter.trim();
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}
