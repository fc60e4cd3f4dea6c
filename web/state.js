// What the page knows, in one place; who draws it is told when it changes.

/**
 * @typedef {{ lon: number, lat: number, accuracy_m: number }} Pin
 * @typedef {{ damage: string, description: string, name: string, phone: string, key: string }} Draft
 * @typedef {{ member: 'east' | 'north', says: string }} TypedFault
 * @typedef {import('./api.js').Problem} Problem
 * @typedef {{ items: any[], counts: Record<string, number>, total: number }} Findings
 * @typedef {{ finding: any, things: Map<string, any>, href: string, key: string }} Mended
 */

/** What is about to be done about a finding: nothing yet. */
export const UNDECIDED = { step: /** @type {''|'mend'|'accept'} */ (''), reason: '', key: '' };

export const state = {
  view: /** @type {'locate'|'track'|'orders'|'quality'} */ ('locate'),
  /** How far the report has come. */
  step: /** @type {'pin'|'report'|'sent'} */ ('pin'),
  pin: /** @type {Pin | null} */ (null),
  resolving: false,
  resolution: /** @type {any} */ (null),
  pinProblem: /** @type {Problem | null} */ (null),
  typedFault: /** @type {TypedFault | null} */ (null),
  /** The code of the candidate chosen, `join:CODE` for an order nearby, or `none`. */
  choice: 'none',
  crs: 'EPSG:4326',
  east: '',
  north: '',
  draft: /** @type {Draft} */ ({ damage: '', description: '', name: '', phone: '', key: '' }),
  sending: false,
  sendProblem: /** @type {Problem | null} */ (null),
  receipt: /** @type {any} */ (null),
  /** Whether the tracking link was copied. */
  copied: false,
  token: '',
  tracked: /** @type {any} */ (null),
  trackProblem: /** @type {Problem | null} */ (null),
  me: /** @type {any} */ (null),
  keyProblem: /** @type {Problem | null} */ (null),
  orders: /** @type {Map<string, any>} */ (new Map()),
  order: '',
  /** What is wrong with the registry, of what is asked for; `counts` of every rule. */
  findings: /** @type {Findings | null} */ (null),
  findingsProblem: /** @type {Problem | null} */ (null),
  asked: { state: 'open', severity: '', rule: '' },
  /** How many the list shows. */
  findingsShown: 200,
  openFindings: /** @type {number | null} */ (null),
  finding: '',
  /** What the finding is about, by address. */
  things: /** @type {Map<string, any>} */ (new Map()),
  verdict: UNDECIDED,
  verdictProblem: /** @type {Problem | null} */ (null),
  /** What was mended here last and can be taken back: the finding as it was, what it names, and what takes it back. */
  mended: /** @type {Mended | null} */ (null),
  /** Whether taking it back waits for a second word. */
  undoing: false,
  undoProblem: /** @type {Problem | null} */ (null),
  deciding: false,
  live: /** @type {'off'|'connecting'|'live'|'lost'} */ ('off'),
  heardAt: 0,
  district: '',
  /** Whether the map could be drawn. */
  map: true,
  zoom: 0,
  /** Whether the map is moved with keys, so that its middle is what matters. */
  aiming: false,
};

/** @type {Set<() => void>} */
const listeners = new Set();
let waiting = false;

/** @param {() => void} listener */
export function onChange(listener) {
  listeners.add(listener);
}

/** @param {Partial<typeof state>} change */
export function set(change) {
  Object.assign(state, change);
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    for (const listener of listeners) listener();
  });
}

/**
 * Says something to those who do not see the page.
 * @param {string} text
 */
export function say(text) {
  const place = document.getElementById('said');
  if (place) place.textContent = text;
}

/** Says what was refused, and why. @param {Problem} problem */
export function sayProblem({ title, detail }) {
  say([title, detail].filter(Boolean).join(': '));
}
