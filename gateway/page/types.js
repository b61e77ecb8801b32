/**
 * The records that the modules of the page hand to each other. Types only: this file does nothing.
 *
 * `Answer`, `Candidate` and `ErrorBody` are the server's (docs/api/answer.schema.json, error.schema.json).
 */

/**
 * @typedef {object} Candidate
 * @property {string} label
 * @property {string | null} scientific_name
 * @property {"species" | "genus" | "family" | "order" | null} rank
 * @property {number} confidence - 0 to 1
 */

/**
 * @typedef {object} Certificate - of the accepted answers at most `risk` are wrong, with probability `confidence`
 * @property {number} risk
 * @property {number} confidence
 * @property {number} coverage
 * @property {number} pictures
 */

/**
 * @typedef {object} Answer
 * @property {string | null} label
 * @property {string | null} scientific_name
 * @property {"species" | "genus" | "family" | "order" | null} rank
 * @property {number} confidence - 0 to 1
 * @property {"expert" | "zero_shot"} source
 * @property {boolean} deferred
 * @property {boolean} low_confidence
 * @property {boolean} degraded
 * @property {Candidate[]} candidates - most probable first
 * @property {{label: string, confidence: number, certainty: number, threshold: number, certificate: Certificate | null}} expert
 * @property {{expert: string | null, zero_shot: string | null}} models
 */

/**
 * @typedef {object} Options - what is asked besides the picture; `labels` and `speciesList` exclude each other
 * @property {number} topK
 * @property {string[] | null} labels
 * @property {string | null} speciesList
 */

/**
 * @typedef {object} Species
 * @property {string} label
 * @property {string | null} scientific_name
 * @property {string | null} rank
 * @property {string[]} models
 */

/**
 * @typedef {object} ModelView - one model of `GET /v1/models`, as far as the page reads it
 * @property {string} name
 * @property {string} version
 * @property {unknown} [labels] - a list, a table by number, or their count
 * @property {{threshold: number, certificate?: Certificate | null}} [gate]
 */

/**
 * @typedef {object} Catalogue
 * @property {ModelView} expert
 * @property {ModelView | null} zero_shot
 * @property {string[]} species_lists
 */

/**
 * @typedef {object} Picture - one file and what has become of it
 * @property {number} number - counted from 1, never used twice
 * @property {File} file
 * @property {string} name - as shown; with its folders where a folder was dropped
 * @property {"waiting" | "working" | "answered" | "failed"} state
 * @property {Options | null} options - those it was last asked with
 * @property {Answer | null} answer
 * @property {import("./failure.js").Failure | null} failure
 * @property {number} tries - requests that were put off since the picture was last queued
 */

/** @typedef {"open" | "sure" | "unsure" | "failed"} Outcome */

export {};
