// Following a report. Its token is a secret: it stands after the `#`, which no server's log sees.
import { get, problemOf } from './api.js';
import { set, state } from './state.js';

const AGAIN = 15_000;
let timer = 0;

/** @param {string} token */
export function link(token) {
  return `${location.origin}/#track=${token}`;
}

/**
 * The token in a link, or the text itself.
 * @param {string} text
 */
export function tokenOf(text) {
  return text.trim().replace(/^.*#track=/, '').replace(/^.*\//, '');
}

/** @param {string} token */
export async function follow(token) {
  clearTimeout(timer);
  const same = token === state.token;
  set({ view: 'track', token, tracked: same ? state.tracked : null, trackProblem: null });
  if (!token) return;
  try {
    const tracked = await get(`/v1/reports/${encodeURIComponent(token)}`);
    if (state.token !== token) return;
    set({ tracked });
    const over = ['closed', 'cancelled'].includes(tracked.work_order.status);
    if (!over) timer = window.setTimeout(() => state.view === 'track' && follow(token), AGAIN);
  } catch (error) {
    set({ trackProblem: problemOf(error) });
  }
}

/**
 * Follows it under an address of its own, so that it can be loaded again and left by the way back; without a token asks for one.
 * @param {string} token
 */
export function go(token) {
  history.replaceState({ view: state.view }, '');
  history.pushState({ view: 'track' }, '', token ? link(token) : '/');
  return follow(token);
}

const tokenHere = () => new URLSearchParams(location.hash.slice(1)).get('track');

/** Goes where the address says. */
export function fromAddress() {
  const token = tokenHere();
  if (token) follow(token);
}

/** Goes where the address says after a way back or on: without a token where it was left. */
export function returned() {
  const view = history.state?.view ?? 'locate';
  if (tokenHere()) fromAddress();
  else if (view === 'track') follow('');
  else if (state.view === 'track') set({ view });
}
