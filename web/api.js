// Requests to the service, and what it answers when it refuses.
import { language, t } from './i18n.js';

/**
 * @typedef {{ pointer?: string, detail: string }} Fault what is wrong, and where in what was sent
 * @typedef {{ status: number, title: string, detail: string, errors: Fault[] }} Problem `status` 0: the service said nothing
 */

/** Milliseconds that something sent waits for its answer. */
const PATIENCE = 20_000;

const KEY = 'guli.key';

/** The key of this tab; gone with it. */
export function key() {
  return sessionStorage.getItem(KEY) ?? '';
}

/** @param {string} value */
export function keep(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** @returns {Record<string, string>} */
export function headers() {
  const own = key();
  return own ? { 'Accept-Language': language, Authorization: `Bearer ${own}` } : { 'Accept-Language': language };
}

/**
 * What this page itself has to say, in whichever language it speaks by then.
 * @param {string} name
 * @returns {Problem}
 */
export const own = (name) => ({
  status: 0,
  errors: [],
  get title() {
    return t(name);
  },
  get detail() {
    return t(`${name}.detail`);
  },
});

export class Refused extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/**
 * What went wrong, in words.
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  if (error instanceof Refused) return error.problem;
  return own(error instanceof DOMException && error.name === 'TimeoutError' ? 'problem.late' : 'problem.network');
}

/**
 * @param {Response} answer
 * @returns {Promise<any>}
 */
async function read(answer) {
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const body = await answer.json().catch(() => ({}));
  throw new Refused({
    status: answer.status,
    title: body.title ?? t('problem.status', { status: answer.status }),
    detail: body.detail ?? '',
    errors: body.errors ?? [],
  });
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
export async function get(path, init = {}) {
  return read(await fetch(path, { ...init, headers: { ...headers(), ...init.headers } }));
}

/**
 * Sends once, however often it is tried.
 * @param {string} path
 * @param {unknown} body
 * @param {string} idempotencyKey
 * @param {number} [version] of what was looked at, where any other is to be refused
 */
export async function post(path, body, idempotencyKey, version) {
  const match = version === undefined ? {} : { 'If-Match': `"${version}"` };
  const more = { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey, ...match };
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new DOMException('', 'TimeoutError')), PATIENCE);
  const init = { method: 'POST', headers: { ...headers(), ...more }, body: JSON.stringify(body), signal: patience.signal };
  try {
    return await read(await fetch(path, init));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Changes what was looked at: `version` is what it was then, and any other is refused.
 * @param {string} method
 * @param {string} path
 * @param {unknown} body `null`: none
 * @param {number} version
 */
export async function change(method, path, body, version) {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const more = { 'If-Match': `"${version}"`, ...(body === null ? {} : { 'Content-Type': type }) };
  const sent = body === null ? undefined : JSON.stringify(body);
  return read(await fetch(path, { method, headers: { ...headers(), ...more }, body: sent }));
}

/** A name for one request; `randomUUID` is there under HTTPS only. */
export function once() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
